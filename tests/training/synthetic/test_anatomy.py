"""The synthetic column: requested deformities, order, determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfnode.training.synthetic.anatomy import DEFORMITY_KINDS, LEVELS, sample_column, sample_shape


@given(
    seed=st.integers(0, 10_000),
    level=st.sampled_from(LEVELS),
    kind=st.sampled_from(DEFORMITY_KINDS),
    ratio=st.floats(0.3, 0.97),
)
@settings(max_examples=60)
def test_a_requested_deformity_has_exactly_the_requested_height_ratio(seed, level, kind, ratio):
    shape = sample_shape(np.random.default_rng(seed), level, deformity=(kind, ratio))

    assert shape.height_ratio == pytest.approx(ratio, abs=1e-6)
    assert shape.kind == kind


def test_a_wedge_is_lowest_in_front_and_highest_behind():
    shape = sample_shape(np.random.default_rng(1), "T8", deformity=("wedge", 0.7))

    assert shape.heights_mm.argmin() == 0
    assert shape.heights_mm.argmax() == 2


def test_a_biconcave_body_is_lowest_in_the_middle():
    shape = sample_shape(np.random.default_rng(1), "L1", deformity=("biconcave", 0.6))

    assert shape.heights_mm.argmin() == 1


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_endplates_run_through_their_keypoints_and_bodies_do_not_overlap(seed):
    rng = np.random.default_rng(seed)
    column = sample_column(rng, LEVELS[5:], deformities={"T8": ("crush", 0.5)})
    fractions = np.linspace(0, 1, 41)

    for vertebra in column.vertebrae:
        for side in (0, 1):
            plate = vertebra.shape.endplate(side, np.linspace(0, 1, 2001))
            for point in vertebra.shape.keypoints_mm[:, side]:
                assert np.linalg.norm(plate - point, axis=1).min() < 0.05
    for above, below in zip(column.vertebrae, column.vertebrae[1:], strict=False):
        lower = above.to_column(above.shape.endplate(1, fractions))
        upper = below.to_column(below.shape.endplate(0, fractions))
        assert np.linalg.norm(lower[:, None] - upper, axis=-1).min() > 0.1


def test_the_same_seed_gives_the_same_column():
    first, again = (
        sample_column(np.random.default_rng(3), LEVELS[6:18], deformities={"T8": ("wedge", 0.7)})
        for _ in range(2)
    )

    for one, other in zip(first.vertebrae, again.vertebrae, strict=True):
        np.testing.assert_array_equal(one.keypoints_mm, other.keypoints_mm)


def test_without_curvature_the_bodies_stand_upright():
    column = sample_column(np.random.default_rng(5), LEVELS[6:], curvature=0.0)

    assert max(abs(vertebra.angle_rad) for vertebra in column.vertebrae) < np.radians(12)
