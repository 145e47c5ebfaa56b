"""Figures of a measurement, worked out by hand."""

import numpy as np
import pytest

from vfnode.training.figures import match, measurement_figures


def bodies(heights_mm: list[tuple[float, float, float]]) -> np.ndarray:
    """Keypoints (n, 3, 2, 2) with the given heights."""
    points = np.zeros((len(heights_mm), 3, 2, 2))
    points[:, :, 0, 0] = points[:, :, 1, 0] = [-10, 0, 10]
    points[:, :, 1, 1] = heights_mm
    return points


TRUE = bodies([(20, 20, 20), (16, 18, 20), (12, 15, 20), (8, 12, 20)])  # 1.0, 0.8, 0.6, 0.4


def test_a_perfect_measurement_has_no_error_and_slope_one():
    figures = measurement_figures(TRUE, TRUE)

    assert figures["keypoint_mm"] == 0
    assert figures["ratio_slope"] == pytest.approx(1)
    assert figures["ratio_auc"] == 1


def test_shrinking_deformities_by_half_gives_slope_one_half():
    half = bodies([(20, 20, 20), (18, 19, 20), (16, 17, 20), (14, 16, 20)])  # 1, .9, .8, .7

    figures = measurement_figures(half, TRUE)

    assert figures["ratio_slope"] == pytest.approx(0.5)
    assert figures["ratio_mae"] == pytest.approx(0.15)


def test_bodies_too_tall_by_a_millimetre_have_that_bias():
    figures = measurement_figures(
        bodies([(21, 21, 21), (17, 19, 21), (13, 16, 21), (9, 13, 21)]), TRUE
    )

    assert figures["height_bias_mm"] == pytest.approx(1)


def test_each_body_is_matched_once_and_only_within_ten_millimetres():
    found = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 50.0]])
    wanted = np.array([[0.0, 1.9], [0.0, 30.0]])

    assert match(found, wanted) == [(1, 0)]


def test_nothing_found_matches_nothing():
    assert match(np.zeros((0, 2)), np.zeros((3, 2))) == []
