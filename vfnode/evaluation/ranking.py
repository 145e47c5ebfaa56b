"""Bodies and patients as a classification: true grades against found height ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from vfnode.evaluation.results import CaseResult, shown_ratio
from vfnode.spine.volume import FloatArray

Results = Sequence[CaseResult]
NAN = float("nan")
#: task of the paper's Table 3 -> lowest grade that counts as positive, grades left out
TASKS: dict[str, tuple[int, tuple[int, ...]]] = {
    "G0 vs G1-3": (1, ()),
    "G0 vs G2-3": (2, (1,)),
    "G0-1 vs G2-3": (2, ()),
}


@dataclass(frozen=True)
class Ranked:
    """Scores and truth that a classification is judged on."""

    grade: FloatArray  #: (n,) true grades, 0 to 3
    ratio: FloatArray  #: (n,) found height ratios


Ranking = Callable[[Results], Ranked]


def vertebrae(results: Results) -> Ranked:
    """Every true body that has a grade; a missed or withheld one counts as found normal."""
    found = _graded(results)
    return Ranked(found[:, 0], found[:, 1])


def measured_vertebrae(results: Results) -> Ranked:
    """The same, with a withheld body as it was measured; a missed one counts as found normal."""
    found = _graded(results)
    return Ranked(found[:, 0], found[:, 2])


def _graded(results: Results) -> FloatArray:
    return np.concatenate([result.graded for result in results] or [np.empty((0, 3))])


def patients(results: Results) -> Ranked:
    """Worst true grade and smallest found ratio of every case; surplus bodies count."""
    rows = []
    for result in results:
        if len(result.graded):
            found = [*result.graded[:, 1], *map(shown_ratio, result.extra)]
            rows.append((float(result.graded[:, 0].max()), float(min(found))))
    both = np.array(rows).reshape(-1, 2)
    return Ranked(both[:, 0], both[:, 1])


def task_of(ranked: Ranked, task: str) -> tuple[FloatArray, FloatArray]:
    """Labels (1: positive) and scores (higher: more deformed) of one of ``TASKS``."""
    lowest, left_out = TASKS[task]
    used = ~np.isin(ranked.grade, left_out)
    return (ranked.grade[used] >= lowest).astype(float), 1.0 - ranked.ratio[used]


def auc(labels: FloatArray, scores: FloatArray) -> float:
    """Area under the ROC curve; NaN where one class is empty."""
    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) > 1 else NAN


def sensitivity_at(labels: FloatArray, scores: FloatArray, specificity: float) -> float:
    """Best sensitivity of a threshold whose specificity is at least the given one."""
    if len(np.unique(labels)) < 2:  # noqa: PLR2004 - both classes
        return NAN
    false_positive, sensitivity, _ = roc_curve(labels, scores)
    return float(sensitivity[false_positive <= 1 - specificity + 1e-9].max())
