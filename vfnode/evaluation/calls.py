"""Shares of what an analysis says of each body, beside what is true."""

from __future__ import annotations

from collections.abc import Callable

from vfnode.evaluation.judged import BORDERLINE, FRACTURES, GRADED_LEVELS, Judged
from vfnode.evaluation.ranking import Results


def judged(results: Results) -> list[Judged]:
    """Every true body of the results."""
    return [one for result in results for one in result.judged]


def false_fracture_share(results: Results) -> float:
    """Share of the graded bodies that are called moderate or severe and are not."""
    return _share(_graded(results), lambda one: one.is_false_fracture)


def false_mild_share(results: Results) -> float:
    """Share of the graded bodies that are called mild and are normal."""
    return _share(_graded(results), lambda one: one.is_false_mild)


def found_share(results: Results) -> float:
    """Share of the true moderate and severe bodies that are called so."""
    true = [one for one in judged(results) if one.is_fracture]
    return _share(true, lambda one: one.call in FRACTURES)


def borderline_fracture_share(results: Results) -> float:
    """Share of the true moderate and severe bodies that are called borderline."""
    true = [one for one in judged(results) if one.is_fracture]
    return _share(true, lambda one: one.call == BORDERLINE)


def graded_share(results: Results) -> float:
    """Share of the bodies T4 to L4 that are graded; a missed one is not."""
    return _share(_gradable(results), lambda one: one.is_graded)


def borderline_share(results: Results) -> float:
    """Share of the bodies T4 to L4 that are borderline."""
    return _share(_gradable(results), lambda one: one.call == BORDERLINE)


def _graded(results: Results) -> list[Judged]:
    return [one for one in judged(results) if one.is_graded and one.true_grade is not None]


def _gradable(results: Results) -> list[Judged]:
    return [one for one in judged(results) if one.truth.level in GRADED_LEVELS]


def _share(bodies: list[Judged], hit: Callable[[Judged], bool]) -> float:
    return sum(map(hit, bodies)) / len(bodies) if bodies else float("nan")
