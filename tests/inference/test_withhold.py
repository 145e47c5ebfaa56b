"""Bodies that are measured and not graded."""

import numpy as np
import pytest

from tests.factories import make_volume
from vfnode.inference.withhold import OVERLAP_MM, UNCERTAIN_MM, overlap_mm, withheld_reasons
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume


def body(z_mm: float, height_mm: float = 20.0) -> np.ndarray:
    """Keypoints (3, 2, 3) of a box, 30 mm deep, its middle at a height."""
    points = np.zeros((3, 2, 3))
    points[:, :, 1] = np.array([-15.0, 0.0, 15.0])[:, None]
    points[:, 0, 2], points[:, 1, 2] = z_mm + height_mm / 2, z_mm - height_mm / 2
    return points


def inside(points: np.ndarray) -> np.ndarray:
    """The same in the middle of a made volume."""
    middle = make_volume().to_patient((np.array(make_volume().hu.shape) - 1) / 2)
    return np.asarray(points + middle)


def test_bodies_with_a_disc_between_them_do_not_overlap():
    """The usual column."""
    assert overlap_mm(np.array([body(25), body(0), body(-25)])) == pytest.approx([0, 0, 0])


def test_two_bodies_that_reach_into_each_other_are_both_doubted():
    """One of them was measured on the other's endplate; nobody knows which."""
    points = np.array([body(25, 26), body(0, 30), body(-25)])

    assert overlap_mm(points) == pytest.approx([3, 3, 0])
    reasons = withheld_reasons(make_volume(), inside(points), np.full(3, 0.5))
    assert reasons == [Reason.UNCERTAIN_KEYPOINTS, Reason.UNCERTAIN_KEYPOINTS, None]
    assert OVERLAP_MM < 3


@pytest.mark.parametrize(
    ("uncertainty_mm", "reason"),
    [(UNCERTAIN_MM, None), (UNCERTAIN_MM + 0.1, Reason.UNCERTAIN_KEYPOINTS)],
)
def test_an_uncertain_body_gets_no_grade(uncertainty_mm, reason):
    """Said with a coded reason, never graded by chance."""
    found = withheld_reasons(make_volume(), inside(np.array([body(0)])), np.array([uncertainty_mm]))

    assert found == [reason]


def test_the_border_is_the_first_reason():
    """A cut body is cut, however uncertain it is."""
    far = inside(np.array([body(0)])) + np.array([0.0, 500.0, 0.0])

    assert withheld_reasons(make_volume(), far, np.array([9.0])) == [Reason.CUT_VERTEBRA]


def hidden(volume, places, axis=0):
    """The volume with places at which there was no image."""
    is_image = np.ones(volume.hu.shape[0], bool)
    is_image[list(places)] = False
    return CTVolume(volume.hu, volume.affine, is_image, axis)


@pytest.mark.parametrize(("places", "reason"), [([29], Reason.NO_IMAGE), ([40], None)])
def test_a_body_in_which_an_image_is_missing_gets_no_grade(places, reason):
    """One place within it is enough; one that lies in a body further down is not."""
    volume = hidden(make_volume(), places)

    assert withheld_reasons(volume, inside(np.array([body(0)])), np.array([0.5])) == [reason]


def test_what_is_image_is_known_however_the_volume_is_turned():
    """Axes may be permuted and flipped on the way through the pipeline."""
    volume = hidden(make_volume(), [29])
    turned = CTVolume(
        volume.hu.transpose(2, 0, 1)[:, ::-1],
        flipped(volume.affine[:, [2, 0, 1, 3]], 1, volume.hu.shape[0]),
        volume.is_image[::-1],
        1,
    )

    bodies = inside(np.array([body(0)]))

    for each in (volume, turned, turned.canonical()):
        assert withheld_reasons(each, bodies, np.array([0.5])) == [Reason.NO_IMAGE]


def flipped(affine, axis, size):
    """The affine (4, 4) of a volume whose axis of this size runs the other way."""
    affine = affine.copy()
    affine[:3, 3] += affine[:3, axis] * (size - 1)
    affine[:3, axis] *= -1
    return affine


@pytest.mark.parametrize("value", [-1024, -1000, 0, 40])
def test_a_body_that_reaches_into_filling_gets_no_grade(value):
    """What a resampled oblique end holds is one value, whatever it is; anatomy has noise."""
    volume = make_volume()
    hu = volume.hu.copy()
    hu[26:, 36:] = value

    filled = CTVolume(hu, volume.affine)

    assert withheld_reasons(filled, inside(np.array([body(0)])), np.array([0.5])) == [
        Reason.NO_IMAGE
    ]
