"""Tables, intervals and subgroups."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.factories import body, result
from vfnode.evaluation.cases import UNDEFORMED
from vfnode.evaluation.figures import TABLES, figure_of, subgroups
from vfnode.evaluation.metrics import ratio_bias
from vfnode.evaluation.results import CaseResult, Pair


def test_the_tables_of_the_paper_are_all_there():
    """Curve, detection, three tasks at two levels by two figures, and ours beyond."""
    assert [len(table.rows) for table in TABLES[:3]] == [2, 9, 12]


def test_an_interval_draws_whole_patients():
    """Three patients alike within, apart between: no draw leaves their range."""
    biases = {"A": 0.0, "B": 0.1, "C": 0.2}
    results = [
        result((0.5, 0.5 + bias), (0.6, 0.6 + bias), patient=name) for name, bias in biases.items()
    ]

    figure = figure_of(results, ratio_bias, seed=1)

    assert figure.value == pytest.approx(0.1)
    assert 0.0 <= figure.low < 0.1 < figure.high <= 0.2 + 1e-9


def test_two_patients_have_no_interval():
    """Two patients drawn twice say nothing about others."""
    results = [result((0.5, 0.6), patient=name) for name in "AB"]

    figure = figure_of(results, ratio_bias, seed=1)

    assert np.isnan([figure.low, figure.high]).all()


def test_the_same_seed_gives_the_same_interval():
    """Figures can be made again."""
    results = [result((0.5, 0.5 + i / 50), patient=str(i)) for i in range(5)]

    assert figure_of(results, ratio_bias, seed=3) == figure_of(results, ratio_bias, seed=3)


def test_folds_have_a_mean_and_a_deviation():
    """Biases of 0.1 and 0.3 in two folds: mean 0.2, standard deviation 0.1414 (n - 1)."""
    results = [
        replace(result((0.5, 0.5 + bias), patient=fold), fold=fold)
        for fold, bias in (("1", 0.1), ("2", 0.3))
    ]

    figure = figure_of(results, ratio_bias, seed=1)

    assert (figure.fold_mean, figure.fold_sd) == pytest.approx((0.2, 0.1414), abs=1e-4)


def test_without_folds_there_is_no_deviation():
    """One set of models has no spread over models."""
    figure = figure_of([result((0.5, 0.6))], ratio_bias, seed=1)

    assert np.isnan([figure.fold_mean, figure.fold_sd]).all()


def test_subgroups_are_cases_by_tag_and_bodies_by_group():
    """A tag picks whole cases, a group picks bodies within them, missed ones too."""
    pairs = tuple(Pair(body(group=group), body()) for group in ("wedge", "crush"))
    results = [
        CaseResult("a", "A", pairs, (body(group="wedge"),), (), tags={"kernel": "sharp"}),
        CaseResult("b", "B", pairs, (), (), tags={"kernel": "soft"}),
    ]

    found = subgroups(results)

    assert sorted(found) == ["bodies: crush", "bodies: wedge", "kernel: sharp", "kernel: soft"]
    assert [one.name for one in found["kernel: soft"]] == ["b"]
    assert [len(one.pairs) + len(one.missed) for one in found["bodies: wedge"]] == [2, 1]


def test_all_deformed_bodies_are_a_subgroup_beside_those_left_alone():
    """The slope of a data set with imposed deformities is that of the deformed bodies."""
    groups = ("wedge", "crush", UNDEFORMED)
    pairs = tuple(Pair(body(group=group), body()) for group in groups)

    found = subgroups([CaseResult("a", "A", pairs, (), ())])

    assert [len(one.pairs) for one in found["bodies: all deformed"]] == [2]
