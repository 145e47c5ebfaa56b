"""On the picture a ruler measures what the report says."""

import numpy as np
import pytest

from tests.spine.test_straighten import kyphotic_curve
from vfnode.spine.body_frames import rigid_body_frames
from vfnode.spine.straighten import StraightenedSagittal
from vfnode.spine.vertebra import heights_mm


def bodies_along(radius_mm: float) -> np.ndarray:
    """Eight box-shaped bodies 20 mm tall and 30 mm deep, 25 mm apart on a kyphotic arc."""
    curve = kyphotic_curve(radius_mm, 6.0)
    frames = curve.frames()
    bodies = []
    for row in range(25, 225, 25):
        x = np.array([-15.0, 0.0, 15.0])
        z = np.array([-10.0, 10.0])
        local = np.stack([np.repeat(x[:, None], 2, 1), np.zeros((3, 2)), np.tile(z, (3, 1))], -1)
        bodies.append(local @ frames[row, :3, :3].T + frames[row, :3, 3])
    return np.array(bodies)


@pytest.mark.parametrize("radius_mm", [90.0, 150.0, 2000.0])
def test_heights_on_the_picture_are_those_in_the_patient(radius_mm):
    """Also in strong kyphosis, where smooth straightening would stretch the front."""
    bodies = bodies_along(radius_mm)
    frames = rigid_body_frames(kyphotic_curve(radius_mm, 6.0), bodies, 0.5)
    image = StraightenedSagittal(np.zeros((len(frames), 160), np.float32), 0.5, frames)

    drawn = image.to_sagittal(bodies)

    assert heights_mm(drawn) == pytest.approx(heights_mm(bodies), abs=0.1)


def test_the_frames_reach_the_ends_of_the_curve():
    """What lies above the first and below the last body is still shown."""
    curve = kyphotic_curve(150.0, 6.0)

    frames = rigid_body_frames(curve, bodies_along(150.0)[2:5], 0.5)

    assert frames[0, :3, 3] == pytest.approx(curve.points_mm[0], abs=1e-6)
    assert frames[-1, :3, 3] == pytest.approx(curve.points_mm[-1], abs=0.5)


def test_overlapping_bodies_still_leave_room_for_the_frame_to_turn():
    """Fused or wrongly measured neighbours must not fold the picture."""
    bodies = bodies_along(150.0)
    bodies[1] -= (bodies[1].mean((0, 1)) - bodies[0].mean((0, 1))) * 0.3  # now 17.5 mm apart

    frames = rigid_body_frames(kyphotic_curve(150.0, 6.0), bodies, 0.5)

    steps = np.einsum("nd,nd->n", np.diff(frames[:, :3, 3], axis=0), frames[:-1, :3, 2])
    assert steps.min() > 0


def test_without_bodies_the_frames_follow_the_curve():
    """A spine without a measurable body is still shown."""
    curve = kyphotic_curve(150.0, 6.0)

    frames = rigid_body_frames(curve, np.zeros((0, 3, 2, 3)), 1.0)

    assert len(frames) == pytest.approx(len(curve.points_mm), abs=2)
