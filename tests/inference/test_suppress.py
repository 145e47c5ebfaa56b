"""Butterfly IoU and the chain, on hexagons worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfnode.inference.suppress import best_chain, butterfly_iou, suppress
from vfnode.spine.vertebra import Vertebra


def box(x_mm: float, z_mm: float, depth_mm: float = 20.0, height_mm: float = 10.0) -> np.ndarray:
    """Keypoints of an upright rectangle with its upper front corner at (x, z)."""
    x = x_mm + np.array([0.0, depth_mm / 2, depth_mm])
    return np.stack(
        [np.stack([x, np.full(3, z_mm)], -1), np.stack([x, np.full(3, z_mm + height_mm)], -1)], 1
    )


def vertebra(keypoints: np.ndarray, score: float = 0.9) -> Vertebra:
    return Vertebra(keypoints, score, 0.5)


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        (box(0, 0), 1.0),
        (box(0, 5), 1 / 3),  # half of each: 100 of 300 mm2
        (box(10, 5), 1 / 7),  # a quarter of each: 50 of 350 mm2
        (box(0, 10), 0.0),  # they only touch
        (box(0, 40), 0.0),
    ],
)
def test_the_overlap_of_two_rectangles_is_that_worked_out_by_hand(other, iou):
    assert butterfly_iou(box(0, 0), other) == pytest.approx(iou, abs=1e-9)


def test_a_waisted_hexagon_counts_its_true_area():
    """20 x 10 mm with both middles 2 mm inwards: 200 - 2 * 20 = 160 mm2."""
    waisted = box(0, 0)
    waisted[1, 0, 1] += 2
    waisted[1, 1, 1] -= 2

    assert butterfly_iou(waisted, box(0, 0)) == pytest.approx(160 / 200)


@given(shift=st.floats(-30, 30), drop=st.floats(-30, 30))
def test_overlap_is_symmetric_and_between_zero_and_one(shift, drop):
    one, other = box(0, 0), box(shift, drop)

    overlap = butterfly_iou(one, other)

    assert 0 <= overlap <= 1 + 1e-9
    assert overlap == pytest.approx(butterfly_iou(other, one))


def test_crossed_keypoints_do_not_break_the_overlap():
    crossed = box(0, 0)[:, ::-1].copy()
    crossed[1] = crossed[1, ::-1]

    assert 0 <= butterfly_iou(crossed, box(0, 0)) <= 1


def test_of_two_overlapping_bodies_the_better_scored_stays():
    kept = suppress([vertebra(box(0, 0), 0.8), vertebra(box(1, 2), 0.95)])

    assert [body.score for body in kept] == [0.95]


def test_the_chain_runs_down_the_spine_whatever_the_order_of_the_candidates():
    bodies = [vertebra(box(0, z)) for z in (30, 0, 15)]

    assert [body.centre[1] for body in suppress(bodies)] == [5, 20, 35]


def test_the_chain_prefers_two_disjoint_bodies_to_a_better_one_across_both():
    """A long false body beside the column overlaps neither hexagon, only their heights."""
    upper, lower = vertebra(box(0, 0), 0.7), vertebra(box(0, 15), 0.7)
    across = vertebra(box(30, 4, height_mm=18), 0.95)

    assert best_chain([across, lower, upper]) == (upper, lower)


def test_no_candidates_give_an_empty_chain():
    assert suppress([]) == ()
