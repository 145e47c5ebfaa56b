"""Figures on numbers small enough to work out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.factories import body, result
from vfnode.evaluation import metrics
from vfnode.evaluation.ranking import (
    auc,
    measured_vertebrae,
    patients,
    sensitivity_at,
    task_of,
    vertebrae,
)
from vfnode.evaluation.results import CaseResult, Pair


def test_shrunk_ratios_have_a_slope_below_one():
    """0.5 -> 0.75 and 1.0 -> 1.0 lie on a line of slope one half."""
    results = [result((0.5, 0.75), (0.75, 0.875), (1.0, 1.0))]

    assert metrics.ratio_slope(results) == pytest.approx(0.5)
    assert metrics.ratio_bias(results) == pytest.approx(0.125)
    assert metrics.ratio_mae(results) == pytest.approx(0.125)
    assert metrics.ratio_correlation(results) == pytest.approx(1.0)


def test_heights_are_compared_one_by_one():
    """Of three heights one is 2 mm short: 2/3 mm on average."""
    results = [result((1.0, 0.9))]

    assert metrics.height_mae(results) == pytest.approx(2 / 3)
    assert metrics.height_bias(results) == pytest.approx(-2 / 3)


def test_precision_and_recall_count_bodies_over_all_cases():
    """3 hits, 1 missed, 2 surplus: 3/5 and 3/4."""
    first = result((1.0, 1.0), (1.0, None))
    second = CaseResult("b", "B", result((1.0, 1.0), (1.0, 1.0)).pairs, (), (body(), body()))

    assert metrics.precision([first, second]) == pytest.approx(3 / 5)
    assert metrics.recall([first, second]) == pytest.approx(3 / 4)


def test_a_missed_fracture_counts_as_found_normal():
    """The only severe body was missed: it ranks among the most normal ones."""
    results = [result((0.5, None), (1.0, 0.95), (1.0, 0.9))]

    assert metrics.vertebra_auc(results) == 0.0


def test_the_area_counts_pairs_in_order():
    """Of 2 x 2 pairs of a fracture and a normal body three are in order."""
    results = [result((0.5, 0.6), (0.7, 0.85), (0.9, 0.8), (1.0, 0.95))]

    assert metrics.vertebra_auc(results) == pytest.approx(3 / 4)


def test_sensitivity_is_taken_at_a_specificity_that_is_kept():
    """Ten normal bodies allow one false alarm: two of three fractures rank above the second."""
    labels = np.array([1, 1, 1] + [0] * 10)
    scores = np.array([0.9, 0.7, 0.3] + [0.8, 0.5] + [0.1] * 8)

    assert sensitivity_at(labels, scores, 0.9) == pytest.approx(2 / 3)


def test_figures_without_both_classes_are_undefined():
    """No fracture among the bodies: nothing is said, neither 0 nor 1."""
    assert np.isnan(auc(np.zeros(3), np.arange(3.0)))
    assert np.isnan(metrics.vertebra_sensitivity([result((1.0, 1.0))]))
    assert np.isnan(metrics.recall([]))


def test_tasks_leave_out_or_merge_the_mild_grade():
    """G 0.78 is grade 1: out in G0 vs G2-3, normal in G0-1 vs G2-3."""
    ranked = vertebrae([result((1.0, 1.0), (0.78, 0.8), (0.5, 0.5))])

    assert [len(task_of(ranked, task)[0]) for task in ("G0 vs G2-3", "G0-1 vs G2-3")] == [2, 3]
    assert list(task_of(ranked, "G0 vs G1-3")[0]) == [0, 1, 1]
    assert list(task_of(ranked, "G0-1 vs G2-3")[0]) == [0, 0, 1]


def test_a_patient_is_as_bad_as_the_worst_body_also_a_surplus_one():
    """A false find that looks crushed raises a false alarm for the patient."""
    pairs = result((0.9, 0.9), (0.78, 0.85)).pairs
    ranked = patients([CaseResult("a", "A", pairs, (), (body(ratio=0.5),))])

    assert list(ranked.grade) == [1]
    assert list(ranked.ratio) == pytest.approx([0.5])


def test_severe_bodies_are_judged_against_those_above_the_limit():
    """One of two severe bodies ranks above all others at specificity 0.9."""
    results = [result((0.5, 0.5), (0.5, 0.95), (0.7, 0.4), (0.9, 0.9), (0.9, 0.92))]

    assert metrics.severe_sensitivity(results) == pytest.approx(1 / 2)


def test_uncertainty_is_judged_by_rank_and_coverage():
    """Errors of heights grow with the stated uncertainty; one body of three exceeds twice of it."""
    pairs = tuple(
        Pair(body(ratio=1.0), _uncertain(body(ratio=1.0 - error / 20), stated))
        for error, stated in ((0.5, 1.0), (1.5, 1.1), (9.0, 2.0))
    )
    results = [CaseResult("a", "A", pairs, (), ())]

    assert metrics.uncertainty_rank(results) > 0
    assert metrics.uncertainty_coverage(results) == pytest.approx(8 / 9)


def test_levels_count_only_where_both_sides_name_them():
    """An unnamed body is neither right nor wrong."""
    named = Pair(body(level="T8"), body(level="T9"))
    right = Pair(body(level="T8"), body(level="T8"))
    unnamed = Pair(body(level="T8"), body(level="unknown"))
    results = [CaseResult("a", "A", (named, right, unnamed), (), ())]

    assert metrics.level_accuracy(results) == pytest.approx(1 / 2)


def test_a_withheld_fracture_counts_as_not_found_and_as_withheld():
    """The severe body was found, but not graded: shown, it ranks last; measured, it ranks first."""
    severe = Pair(body(ratio=0.5), replace(body(ratio=0.5), withheld=True))
    results = [CaseResult("a", "A", (severe, *result((1.0, 0.95), (1.0, 0.9)).pairs), (), ())]

    assert metrics.recall(results) == 1.0
    assert metrics.withheld_share(results) == pytest.approx(1 / 3)
    assert metrics.vertebra_auc(results) == 0.0
    assert metrics.vertebra_sensitivity(results) == 0.0
    assert metrics.severe_sensitivity(results) == 0.0
    for metric in (metrics.vertebra_auc, metrics.vertebra_sensitivity, metrics.severe_sensitivity):
        assert metric(results, ranked=measured_vertebrae) == 1.0
    assert metrics.ratio_bias(results) == pytest.approx(-0.075)


def test_a_withheld_surplus_body_alarms_nobody():
    """What is not graded does not count for the patient."""
    surplus = replace(body(ratio=0.5), withheld=True)
    ranked = patients([CaseResult("a", "A", result((0.9, 0.9)).pairs, (), (surplus,))])

    assert list(ranked.ratio) == pytest.approx([0.9])


def _uncertain(one, uncertainty_mm):
    return replace(one, uncertainty_mm=np.full(3, uncertainty_mm))
