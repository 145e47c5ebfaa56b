"""Comparing what was found with what is true."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.factories import Remembered, body, column, empty_volume
from vfnode.evaluation.cases import Case, Reading
from vfnode.evaluation.results import compare, curve_errors, measure, slice_group
from vfnode.spine.volume import CTVolume

CASE = Case("one", "patient")


def test_bodies_are_matched_nearest_first_and_once_each():
    """Two finds on one body are one hit and one surplus."""
    truth = Reading((body(0.0),))
    found = Reading((body(4.0), body(-1.0)))

    result = compare(CASE, truth, found)

    assert [pair.found.centre_mm[2] for pair in result.pairs] == [-1.0]
    assert [one.centre_mm[2] for one in result.extra] == [4.0]


def test_a_find_further_than_10_mm_is_no_hit():
    """A body one disc away is another body: one missed, one surplus."""
    result = compare(CASE, Reading((body(0.0),)), Reading((body(10.1),)))

    assert (len(result.pairs), len(result.missed), len(result.extra)) == (0, 1, 1)


def test_a_body_cut_by_the_border_counts_neither_way():
    """Nobody can say what lies outside the images."""
    cut = replace(body(0.0), complete=False)

    found_too = compare(CASE, Reading((cut,)), Reading((body(0.0),)))
    not_found = compare(CASE, Reading((cut,)), Reading(()))

    for result in (found_too, not_found):
        assert (result.pairs, result.missed, result.extra) == ((), (), ())


def test_the_curve_error_is_the_distance_at_equal_height():
    """3 mm left and 4 mm back are 5 mm apart; the ends are 2 and 6 mm off: 4 on average."""
    truth = np.array([[0.0, 0.0, 100.0], [0.0, 0.0, 0.0]])
    found = np.array([[3.0, 4.0, 98.0], [3.0, 4.0, -6.0]])

    assert curve_errors(found, truth) == pytest.approx((5.0, 4.0))


def test_no_curve_has_no_error():
    """What was not found is not measured as perfect."""
    assert np.isnan(curve_errors(None, np.zeros((2, 3)))).all()


def test_a_case_is_measured_by_its_analyzer():
    """The analyzer's findings, its uncertainty and the slice distance reach the result."""
    truth = column(1.0, 0.7)
    case = Case("one", "patient", load=lambda: (empty_volume(), truth))

    result = measure(case, Remembered(column(1.0, 0.8), uncertainty_mm=0.4))

    assert [round(pair.found.ratio, 6) for pair in result.pairs] == [1.0, 0.8]
    assert list(result.pairs[0].found.uncertainty_mm) == [0.4, 0.4, 0.4]
    assert result.tags == {"slice distance": "up to 2 mm"}
    assert result.curve_mm == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("slice_mm", "group"), [(1.0, "up to 1 mm"), (1.25, "up to 2 mm"), (5.0, "over 3 mm")]
)
def test_cases_are_grouped_by_slice_distance(slice_mm, group):
    """Thin and thick slices are different tasks."""
    affine = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [-slice_mm, 0, 0, 0], [0, 0, 0, 1.0]])

    assert slice_group(CTVolume(np.zeros((4, 4, 4), np.int16), affine)) == group
