"""Bodies that are measured and not graded."""

import numpy as np
import pytest

from tests.factories import make_volume
from vfnode.inference.bodies import LevelNames
from vfnode.inference.withhold import (
    OVERLAP_MM,
    level_reasons,
    overlap_mm,
    unreadable,
    withheld_reasons,
)
from vfnode.spine.genant import GenantLimits
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
    assert OVERLAP_MM < 3


def test_what_hides_the_endplates_is_the_border_or_foreign_material():
    """A body outside the images is cut."""
    near = inside(np.array([body(0)]))
    far = near + np.array([0.0, 500.0, 0.0])

    assert unreadable(make_volume(), np.concatenate([near, far])) == [None, Reason.CUT_VERTEBRA]


@pytest.mark.parametrize(
    ("hidden", "level", "doubtful", "reason"),
    [
        (Reason.CUT_VERTEBRA, Reason.OUTSIDE_GRADED_LEVELS, True, Reason.CUT_VERTEBRA),
        (None, Reason.OUTSIDE_GRADED_LEVELS, True, Reason.OUTSIDE_GRADED_LEVELS),
        (None, None, True, Reason.UNCERTAIN_KEYPOINTS),
        (None, None, False, None),
    ],
)
def test_the_border_is_the_first_reason_and_doubt_the_last(hidden, level, doubtful, reason):
    """A cut body is cut, however uncertain it is, and wherever in the column."""
    assert withheld_reasons([hidden], [level], np.array([doubtful])) == [reason]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("C2", Reason.OUTSIDE_GRADED_LEVELS),
        ("T3", Reason.OUTSIDE_GRADED_LEVELS),
        ("T4", None),
        ("T13", None),
        ("L4", None),
        ("L5", Reason.OUTSIDE_GRADED_LEVELS),
        ("S1", Reason.OUTSIDE_GRADED_LEVELS),
    ],
)
def test_only_the_levels_that_genant_graded_get_a_grade(name, reason):
    """T4 to L4; neck, upper chest and L5 have shapes of their own."""
    levels = LevelNames(("unknown",), (name,), ((name,),), np.array([0.3]))

    assert level_reasons(levels, GenantLimits()) == [reason]


@pytest.mark.parametrize(
    ("plausible", "reason"),
    [
        (("T7", "T8", "T9"), None),
        (("T3", "T4"), Reason.LEVEL_UNKNOWN),
        (("T1", "T2"), Reason.OUTSIDE_GRADED_LEVELS),
    ],
)
def test_a_name_that_does_not_matter_need_not_be_known(plausible, reason):
    """A body without a name is graded where all names that it may have are graded."""
    levels = LevelNames(("unknown",), plausible[:1], (plausible,), np.array([0.3]))

    assert level_reasons(levels, GenantLimits()) == [reason]


def test_a_site_may_grade_other_levels():
    """A setting; the result says which."""
    wide = GenantLimits(first_level="T1", last_level="L5")
    levels = LevelNames(("T1", "C2"), ("T1", "C2"), (("T1",), ("C2",)), np.ones(2))

    assert level_reasons(levels, wide) == [None, Reason.OUTSIDE_GRADED_LEVELS]


def hidden(volume, places, axis=0):
    """The volume with places at which there was no image."""
    is_image = np.ones(volume.hu.shape[0], bool)
    is_image[list(places)] = False
    return CTVolume(volume.hu, volume.affine, is_image, axis)


@pytest.mark.parametrize(("places", "reason"), [([29], Reason.NO_IMAGE), ([40], None)])
def test_a_body_in_which_an_image_is_missing_gets_no_grade(places, reason):
    """One place within it is enough; one that lies in a body further down is not."""
    volume = hidden(make_volume(), places)

    assert unreadable(volume, inside(np.array([body(0)]))) == [reason]


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
        assert unreadable(each, bodies) == [Reason.NO_IMAGE]


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

    assert unreadable(filled, inside(np.array([body(0)]))) == [Reason.NO_IMAGE]
