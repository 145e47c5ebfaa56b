"""On the picture a ruler measures what the report says."""

import numpy as np
import pytest

from tests.spine.factories import bodies_along, kyphotic_curve
from vfnode.spine.body_aligned import ImageSize, body_aligned_image
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume

SIZE = ImageSize(width_mm=80.0, step_mm=0.5, slab_mm=1.0)


def volume_of(bodies: np.ndarray) -> CTVolume:
    """A CT at 1 mm in which the given bodies are bone and the rest is air."""
    low, high = bodies.min((0, 1, 2)) - 60, bodies.max((0, 1, 2)) + 60
    shape = np.ceil((high - low)[::-1]).astype(int)
    affine = np.array([[0, 0, 1, low[0]], [0, 1, 0, low[1]], [-1, 0, 0, high[2]], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    hu = np.full(shape, -1000, np.int16)
    for body in bodies:
        local = np.abs((points - body.mean((0, 1))) @ body_rotation(body))
        hu[(local <= [15.0, 15.0, 10.0]).all(-1)] = 1000
    return CTVolume(hu, affine)


@pytest.mark.parametrize("radius_mm", [90.0, 150.0, 2000.0])
def test_heights_on_the_picture_are_those_in_the_patient(radius_mm):
    """Also in strong kyphosis, where smooth straightening would stretch the front."""
    bodies = bodies_along(radius_mm)

    _, drawn = body_aligned_image(volume_of(bodies[:1]), kyphotic_curve(radius_mm, 6.0), bodies)

    assert heights_mm(drawn) == pytest.approx(heights_mm(bodies), abs=1e-6)


def test_a_body_is_seen_where_its_points_are_drawn():
    """Bone begins and ends at the drawn corners, within a pixel."""
    bodies = bodies_along(120.0)[2:5]

    image, drawn = body_aligned_image(volume_of(bodies), kyphotic_curve(120.0, 6.0), bodies, SIZE)

    for points in drawn:
        column, middle = round(points[1, 0, 0] / 0.5), points.mean((0, 1))[1]
        bone = np.flatnonzero(image.hu[:, column] > 0) * 0.5
        here = bone[np.abs(bone - middle) < 12]
        assert [here.min(), here.max()] == pytest.approx(points[1, :, 1], abs=0.8)


def test_tilted_neighbours_keep_their_heights():
    """Bodies whose rows overlap, as in a severe wedge, are still measured truly."""
    bodies = bodies_along(150.0)[:3]
    bodies[1, 0, :] += (bodies[1].mean((0, 1)) - bodies[0].mean((0, 1))) * 0.3
    bodies[2] -= (bodies[2].mean((0, 1)) - bodies[1].mean((0, 1))) * 0.15

    image, drawn = body_aligned_image(volume_of(bodies), kyphotic_curve(150.0, 6.0), bodies, SIZE)

    assert heights_mm(drawn) == pytest.approx(heights_mm(bodies), abs=1e-6)
    assert (np.diff(drawn.mean((1, 2))[:, 1]) > 10).all()
    assert drawn[..., 1].max() < len(image.hu) * image.step_mm


def test_the_picture_reaches_the_ends_of_the_curve():
    """What lies above the first and below the last body is still shown."""
    curve, bodies = kyphotic_curve(150.0, 6.0), bodies_along(150.0)[2:5]

    image, _ = body_aligned_image(volume_of(bodies), curve, bodies, SIZE)

    length_mm = (len(curve.points_mm) - 1) * curve.step_mm
    assert len(image.hu) * image.step_mm == pytest.approx(length_mm, abs=3.0)


def test_without_bodies_the_picture_follows_the_curve():
    """A spine without a measurable body is still shown."""
    curve = kyphotic_curve(150.0, 6.0)

    image, drawn = body_aligned_image(
        volume_of(bodies_along(150.0)), curve, np.zeros((0, 3, 2, 3)), SIZE
    )

    assert drawn.shape == (0, 3, 2, 2)
    assert (image.hu[:, image.hu.shape[1] // 2] > 0).mean() > 0.5
