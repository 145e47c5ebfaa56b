"""The edge snap that the shipped pipeline is compared with."""

import numpy as np
import pytest

from tests.benchmarks.snap import REACH_MM, snapped
from vfnode.spine.volume import CTVolume


def block(top_mm: float, bottom_mm: float) -> CTVolume:
    """Bone between two heights z in soft tissue, 0.5 mm, LPS axes."""
    hu = np.full((60, 60, 160), 40, np.int16)
    z = np.arange(160) * 0.5
    hu[:, :, (z >= bottom_mm) & (z <= top_mm)] = 400
    return CTVolume(hu, np.diag([0.5, 0.5, 0.5, 1.0]))


def points(top_mm: float, bottom_mm: float) -> np.ndarray:
    """(3, 2, 3) keypoints, anterior to posterior, superior and inferior."""
    return np.array([[[15, y, top_mm], [15, y, bottom_mm]] for y in (8.0, 15.0, 22.0)])


@pytest.mark.parametrize("off_mm", [-1.0, 0.0, 1.0])
def test_points_near_an_edge_move_onto_it(off_mm):
    found = snapped(block(50, 25), points(50.25 + off_mm, 24.75 - off_mm))

    assert found[..., 2] == pytest.approx(points(50.25, 24.75)[..., 2], abs=0.3)


def test_no_point_moves_further_than_its_reach():
    first = points(53, 25)
    moved = np.abs(snapped(block(50, 25), first) - first)

    assert moved.max() <= REACH_MM + 1e-9
