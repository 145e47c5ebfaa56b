"""The straightened box around the spine: what lies where, and which row a body is at."""

import numpy as np
import pytest

from vfnode.spine.curve import SpineCurve
from vfnode.spine.spine_box import MARGIN_MM, VOXEL_MM, arc_of, row_of, spine_box
from vfnode.spine.volume import AIR_HU, CTVolume

STRAIGHT = SpineCurve.from_points(np.array([[0.0, 0, 60], [0, 0, 0], [0, 0, -60]]))


def block(low_mm: tuple[float, float, float], high_mm: tuple[float, float, float]) -> CTVolume:
    """1000 HU between two patient points in 2 mm voxels of 0 HU, 200 mm wide."""
    axis = np.arange(-100.0, 100.0, 2.0)
    z, y, x = np.meshgrid(-axis, axis, axis, indexing="ij")
    inside = (x >= low_mm[0]) & (x < high_mm[0]) & (y >= low_mm[1]) & (y < high_mm[1])
    inside &= (z >= low_mm[2]) & (z < high_mm[2])
    affine = np.array([[0, 0, 2.0, -100], [0, 2.0, 0, -100], [-2.0, 0, 0, 100], [0, 0, 0, 1.0]])
    return CTVolume(np.where(inside, 1000, 0).astype(np.int16), affine)


def test_rows_run_down_the_spine_and_columns_to_the_patients_left():
    """A block to the left, in front and above lies in the first rows, front and right columns."""
    box = spine_box(block((20, -60, 30), (60, -20, 60)), STRAIGHT)

    row, depth, width = (float(at.mean()) for at in np.nonzero(box > 500))
    assert row == pytest.approx(float(row_of(np.array([15.0]))[0]), abs=1.0)
    assert depth == pytest.approx(15.5 - 40 / VOXEL_MM, abs=1.0)
    assert width == pytest.approx(23.5 + 40 / VOXEL_MM, abs=1.0)


def test_beyond_the_volume_there_is_air():
    """The scan's end is seen as what it is."""
    box = spine_box(block((0, 0, 0), (1, 1, 1)), SpineCurve.from_points(STRAIGHT.points_mm))
    inside = row_of(np.array([0.0]))[0]

    assert box[0] == pytest.approx(AIR_HU, abs=1)
    assert box[round(inside), 10:20, 20:28] == pytest.approx(0, abs=1)


def test_a_body_stands_at_its_arc_length():
    """Also beyond both ends, where the curve goes straight on."""
    points = np.array([[3.0, -2, 60], [0, 5, 0], [0, 0, -80]])

    assert arc_of(STRAIGHT, points) == pytest.approx([0, 60, 140], abs=1e-6)
    assert row_of(np.array([-MARGIN_MM, 0.0])) == pytest.approx([0, MARGIN_MM / VOXEL_MM])
