"""Tables 1 to 3 of the paper and ours, with bootstrap intervals over patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from vfnode.evaluation import calls, metrics
from vfnode.evaluation.cases import UNDEFORMED
from vfnode.evaluation.metrics import SPECIFICITY, Metric
from vfnode.evaluation.probability import calibration_error
from vfnode.evaluation.ranking import (
    NAN,
    TASKS,
    Ranking,
    Results,
    auc,
    measured_vertebrae,
    patients,
    sensitivity_at,
    task_of,
    vertebrae,
)
from vfnode.evaluation.results import CaseResult
from vfnode.spine.vertebra import COLUMNS

DRAWS = 500
INTERVAL_PERCENT = (2.5, 97.5)
WITHIN = "within 0.2"


@dataclass(frozen=True)
class Row:
    """A figure of a table: what it is called, how it is made, what the paper reached."""

    name: str
    metric: Metric
    paper: str = ""  #: Zakharov, Pisov et al., Med Image Anal 83 (2023)
    goal: str = ""  #: ours


@dataclass(frozen=True)
class Table:
    """Rows under a title."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Figure:
    """A measured figure with its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float
    fold_mean: float = NAN  #: over the folds that were asked for, at least two
    fold_sd: float = NAN  #: with the folds' number less one


MEASURED_AUC = partial(metrics.vertebra_auc, ranked=measured_vertebrae)
MEASURED_SENSITIVITY = partial(metrics.vertebra_sensitivity, ranked=measured_vertebrae)
MEASURED_SEVERE = partial(metrics.severe_sensitivity, ranked=measured_vertebrae)


def _ranked_auc(results: Results, ranked: Ranking, task: str) -> float:
    return auc(*task_of(ranked(results), task))


def _ranked_sensitivity(results: Results, ranked: Ranking, task: str) -> float:
    return sensitivity_at(*task_of(ranked(results), task), SPECIFICITY)


def _table_3() -> tuple[Row, ...]:
    who = (("vertebra", vertebrae, "0.959 to 0.981"), ("patient", patients, "up to 0.96"))
    rows = []
    for name, ranked, paper in who:
        for task in TASKS:
            known = paper if task == "G0-1 vs G2-3" or ranked is patients else ""
            area = partial(_ranked_auc, ranked=ranked, task=task)
            found = partial(_ranked_sensitivity, ranked=ranked, task=task)
            rows.append(Row(f"{name}: {task}, AUC", area, known))
            rows.append(Row(f"{name}: {task}, sensitivity at specificity 0.9", found))
    return tuple(rows)


TABLES = (
    Table(
        "Table 1: localisation of the spine",
        (
            Row("curve error, mm", metrics.curve_error, "0.92 (Cancer500), 1.19 (VerSe)", "≤ 1.5"),
            Row("limits error, mm", metrics.limits_error),
        ),
    ),
    Table(
        "Table 2: detection of vertebral bodies",
        (
            Row("precision", metrics.precision, "0.991", "≥ 0.98"),
            Row("recall", metrics.recall, "0.990", "≥ 0.98"),
            Row("found but withheld from grading, share", metrics.withheld_share),
            Row("as measured: AUC for G ≤ 0.74", MEASURED_AUC, "0.959 to 0.981", "≥ 0.96"),
            Row("as measured: sensitivity at specificity 0.9", MEASURED_SENSITIVITY),
            Row(
                "as measured: the same, severe only (G ≤ 0.60)",
                MEASURED_SEVERE,
                "",
                "≥ 0.95",
            ),
            Row("withheld as normal: AUC for G ≤ 0.74", metrics.vertebra_auc),
            Row("withheld as normal: sensitivity at specificity 0.9", metrics.vertebra_sensitivity),
            Row("withheld as normal: the same, severe only", metrics.severe_sensitivity),
        ),
    ),
    Table("Table 3: fractures by Genant grade", _table_3()),
    Table(
        "Measurement",
        (
            Row("slope of found on true G", metrics.ratio_slope, "", "0.95 to 1.05"),
            Row("correlation of G", metrics.ratio_correlation),
            Row("bias of G", metrics.ratio_bias),
            Row("mean absolute error of G", metrics.ratio_mae, "", "≤ 0.05"),
            Row("mean absolute error of heights, mm", metrics.height_mae, "", "≤ 0.8"),
            Row("bias of heights, mm", metrics.height_bias),
            *(
                Row(
                    f"bias of {name} heights, mm",
                    partial(metrics.column_bias, column=i),
                    "",
                    "± 0.2",
                )
                for i, name in enumerate(COLUMNS)
            ),
            Row("mean keypoint error, mm", metrics.keypoint_mm),
            Row("share of named levels that are right", metrics.level_accuracy),
            Row("seconds an analysis", metrics.seconds, "2 (one GPU)"),
        ),
    ),
    Table(
        "Judgement",
        (
            Row("false moderate or severe, of the graded bodies", calls.false_fracture_share),
            Row("false mild, of the graded bodies", calls.false_mild_share),
            Row("true moderate or severe: called so", calls.found_share, "", "1"),
            Row("true moderate or severe: borderline", calls.borderline_fracture_share),
            Row("T4 to L4: graded, borderline ones among them", calls.graded_share, "", "≥ 0.90"),
            Row("T4 to L4: borderline", calls.borderline_share),
            Row("calibration error of P(moderate or worse)", calibration_error, "", "≤ 0.03"),
        ),
    ),
    Table(
        "Stated uncertainty",
        (
            Row("rank correlation with the error of a height", metrics.uncertainty_rank),
            Row("errors within twice the uncertainty, share", metrics.uncertainty_coverage),
        ),
    ),
)
#: what a subgroup shows, without intervals
SUBGROUP_ROWS = (
    Row("recall", metrics.recall),
    Row("withheld", metrics.withheld_share),
    Row("G slope", metrics.ratio_slope),
    Row("G bias", metrics.ratio_bias),
    Row("G MAE", metrics.ratio_mae),
    Row("heights MAE, mm", metrics.height_mae),
    Row("AUC, as measured", MEASURED_AUC),
    Row("AUC, withheld as normal", metrics.vertebra_auc),
    Row("levels right", metrics.level_accuracy),
    Row("curve, mm", metrics.curve_error),
)


def figure_of(results: Results, metric: Metric, seed: int, draws: int = DRAWS) -> Figure:
    """A figure and its percentile interval over patients drawn with replacement.

    The interval is NaN with fewer than three patients or where the figure is undefined.
    """
    by_patient: dict[str, list[CaseResult]] = defaultdict(list)
    for result in results:
        by_patient[result.patient].append(result)
    value = metric(results)
    folds = over_folds(results, metric)
    groups = list(by_patient.values())
    if len(groups) < 3 or not np.isfinite(value):  # noqa: PLR2004 - two draws are no sample
        return Figure(value, float("nan"), float("nan"), *folds)
    rng = np.random.default_rng(seed)
    drawn = [
        metric(
            [result for i in rng.integers(len(groups), size=len(groups)) for result in groups[i]]
        )
        for _ in range(draws)
    ]
    finite = [one for one in drawn if np.isfinite(one)]
    low, high = np.percentile(finite, INTERVAL_PERCENT) if finite else (float("nan"),) * 2
    return Figure(value, float(low), float(high), *folds)


def over_folds(results: Results, metric: Metric) -> tuple[float, float]:
    """Mean and standard deviation of a figure over folds; NaN with fewer than two."""
    folds = sorted({result.fold for result in results} - {""})
    values = np.array([metric([r for r in results if r.fold == fold]) for fold in folds])
    values = values[np.isfinite(values)]
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return NAN, NAN
    return float(values.mean()), float(values.std(ddof=1))


def subgroups(results: Results) -> dict[str, tuple[CaseResult, ...]]:
    """Results by each tag of the cases and each group of bodies; none where all are alike."""
    found: dict[str, tuple[CaseResult, ...]] = {}
    for tag in sorted({tag for result in results for tag in result.tags}):
        for value in sorted({result.tags[tag] for result in results if tag in result.tags}):
            chosen = tuple(r for r in results if r.tags.get(tag) == value)
            found[f"{tag}: {value}"] = chosen
    groups = body_groups(results)
    for group in groups:
        found[f"bodies: {group}"] = tuple(result.of_groups((group,)) for result in results)
    if UNDEFORMED in groups:
        deformed = tuple(group for group in groups if group != UNDEFORMED)
        found["bodies: all deformed"] = tuple(result.of_groups(deformed) for result in results)
    return found


def body_groups(results: Sequence[CaseResult]) -> tuple[str, ...]:
    """Names of the groups that true bodies belong to."""
    truths = [pair.truth for r in results for pair in r.pairs] + [
        b for r in results for b in r.missed
    ]
    return tuple(sorted({body.group for body in truths} - {""}))
