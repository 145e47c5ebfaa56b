"""How far a height may be off, and how probable a fracture is."""

from dataclasses import replace

import numpy as np
import pytest

from vfnode.spine.error_model import (
    MOST_ERROR,
    ErrorModel,
    error_share,
    features_of,
    simulated_probability,
)
from vfnode.spine.expected_heights import Expectation
from vfnode.spine.genant import GenantLimits

MODEL = ErrorModel(constant=-1.6, spread=1.2, slices=0.5, departure=0.35, offset=0.0, slope=1.0)
HEIGHTS = np.array([[20.0, 20.0, 22.0]])
AS_EXPECTED = Expectation(HEIGHTS[0], np.full(3, 0.04), 1.0)


def features(spread_mm: float = 1.0, slice_mm: float = 1.0, departure: float = 0.0) -> np.ndarray:
    """Of one body that departs from what is expected by some tenths of the logarithm."""
    expected = replace(AS_EXPECTED, heights_mm=HEIGHTS[0] * np.exp(departure / 10))
    return features_of(np.full((1, 3, 2), spread_mm), np.array([slice_mm]), HEIGHTS, (expected,))


@pytest.mark.parametrize("more", [{"spread_mm": 2.0}, {"slice_mm": 4.0}, {"departure": 2.0}])
def test_blur_thick_slices_and_odd_neighbours_make_a_height_less_certain(more):
    """Each by itself."""
    assert MODEL.scale_mm(features(**more)).min() > MODEL.scale_mm(features()).max()


def test_only_so_much_departure_counts():
    """A body half as high as expected is a fracture, not noise without end."""
    assert MODEL.scale_mm(features(departure=9.0)) == pytest.approx(
        MODEL.scale_mm(features(departure=3.0))
    )


def test_a_body_that_departs_is_no_less_visible():
    """Doubt about the image withholds; being fractured must not."""
    plain = error_share(MODEL, features(), HEIGHTS, (AS_EXPECTED,))
    low = error_share(MODEL, features(departure=4.0), HEIGHTS, (None,))

    assert plain == pytest.approx(low)
    assert plain[0] < MOST_ERROR
    assert error_share(MODEL, features(spread_mm=6.0), HEIGHTS, (None,))[0] > MOST_ERROR


@pytest.mark.parametrize(
    ("heights_mm", "scale_mm", "low", "high"),
    [
        ((20.0, 20.0, 21.0), 0.3, 0.0, 0.02),  # normal, well seen
        ((14.0, 17.0, 21.0), 0.3, 0.95, 1.0),  # a wedge, well seen
        ((15.5, 18.0, 21.0), 0.6, 0.2, 0.8),  # on the limit
        ((14.0, 17.0, 21.0), 4.0, 0.3, 0.9),  # a wedge that the image hardly shows
    ],
)
def test_the_probability_follows_from_the_error(heights_mm, scale_mm, low, high):
    """By the body itself alone."""
    found = simulated_probability(np.array(heights_mm), np.full(3, scale_mm), None, GenantLimits())

    assert low <= found <= high


def test_a_uniform_crush_is_probable_by_what_is_expected():
    """Against itself it is normal."""
    crushed = np.array([12.0, 12.0, 13.0])
    expected = replace(AS_EXPECTED, heights_mm=np.array([20.0, 20.0, 22.0]))

    alone, beside = (
        simulated_probability(crushed, np.full(3, 0.3), expectation, GenantLimits())
        for expectation in (None, expected)
    )

    assert alone < 0.05
    assert beside > 0.95


def test_recalibration_keeps_the_order_and_stays_within_0_and_1():
    """A logistic line on the logit."""
    model = replace(MODEL, offset=-1.7, slope=1.6)
    said = model.probability(np.array([0.0, 0.2, 0.5, 0.9, 1.0]))

    assert np.all(np.diff(said) > 0)
    assert np.all((said > 0) & (said < 1))
    assert MODEL.probability(np.array([0.3])) == pytest.approx([0.3])
