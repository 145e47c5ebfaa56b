"""Figures of a set of compared cases; each a function of the results, NaN where undefined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from vfnode.evaluation.cases import UNKNOWN_LEVEL
from vfnode.evaluation.ranking import (
    NAN,
    Ranking,
    Results,
    auc,
    sensitivity_at,
    task_of,
    vertebrae,
)
from vfnode.spine.volume import FloatArray

Metric = Callable[[Results], float]
SPECIFICITY = 0.9
FEWEST = 3  #: bodies that a slope or a rank correlation is worth computing on


def pairs_of(results: Results) -> FloatArray:
    """(n, 3, 2) heights in mm, true and found, of the graded matched bodies with keypoints."""
    return np.concatenate([r.heights_mm for r in results] or [np.empty((0, 3, 2))])


def ratios(results: Results) -> tuple[FloatArray, FloatArray]:
    """True and found height ratios of the graded matched bodies, (n,) each."""
    heights = pairs_of(results)
    if len(heights) == 0:
        return np.empty(0), np.empty(0)
    both = heights.min(1) / heights.max(1)
    return both[:, 0], both[:, 1]


def precision(results: Results) -> float:
    """Share of the found bodies that are true."""
    hits = sum(len(r.pairs) for r in results)
    return _share(hits, hits + sum(len(r.extra) for r in results))


def recall(results: Results) -> float:
    """Share of the true bodies that were found."""
    hits = sum(len(r.pairs) for r in results)
    return _share(hits, hits + sum(len(r.missed) for r in results))


def withheld_share(results: Results) -> float:
    """Share of the found true bodies that the analysis did not grade."""
    pairs = [pair for r in results for pair in r.pairs]
    return _share(sum(pair.found.withheld for pair in pairs), len(pairs))


def curve_error(results: Results) -> float:
    """Mean distance of the curves over cases, mm."""
    return _mean(np.array([r.curve_mm for r in results]))


def limits_error(results: Results) -> float:
    """Mean error of the spine's ends over cases, mm."""
    return _mean(np.array([r.limits_mm for r in results]))


def vertebra_auc(results: Results, ranked: Ranking = vertebrae) -> float:
    """AUC for moderate and severe deformities, G <= 0.74."""
    return auc(*task_of(ranked(results), "G0-1 vs G2-3"))


def vertebra_sensitivity(results: Results, ranked: Ranking = vertebrae) -> float:
    """Sensitivity for G <= 0.74 at a specificity of 0.9."""
    return sensitivity_at(*task_of(ranked(results), "G0-1 vs G2-3"), SPECIFICITY)


def severe_sensitivity(results: Results, ranked: Ranking = vertebrae) -> float:
    """Share of the severe bodies above the threshold at which 9 of 10 with G > 0.74 lie below."""
    found = ranked(results)
    severe, others = found.ratio[found.grade == 3], found.ratio[found.grade < 2]  # noqa: PLR2004
    if len(severe) == 0 or len(others) == 0:
        return NAN
    labels = np.concatenate([np.ones(len(severe)), np.zeros(len(others))])
    return sensitivity_at(labels, 1 - np.concatenate([severe, others]), SPECIFICITY)


def ratio_slope(results: Results) -> float:
    """Slope of found on true G: 1 is true to size, less is shrunk towards normal."""
    true, found = ratios(results)
    if len(true) < FEWEST or np.ptp(true) == 0:
        return NAN
    return float(stats.linregress(true, found).slope)


def ratio_correlation(results: Results) -> float:
    """Pearson correlation of found and true G."""
    true, found = ratios(results)
    if len(true) < FEWEST or np.ptp(true) == 0 or np.ptp(found) == 0:
        return NAN
    return float(stats.pearsonr(true, found).statistic)


def ratio_bias(results: Results) -> float:
    """Mean of found minus true G."""
    true, found = ratios(results)
    return _mean(found - true)


def ratio_mae(results: Results) -> float:
    """Mean absolute error of G."""
    true, found = ratios(results)
    return _mean(np.abs(found - true))


def height_mae(results: Results) -> float:
    """Mean absolute error of the three heights, mm."""
    heights = pairs_of(results)
    return _mean(np.abs(heights[..., 1] - heights[..., 0]).ravel())


def height_bias(results: Results) -> float:
    """Mean of found minus true heights, mm."""
    heights = pairs_of(results)
    return _mean((heights[..., 1] - heights[..., 0]).ravel())


def column_bias(results: Results, column: int) -> float:
    """Mean of found minus true heights in front (0), in the middle (1) or behind (2), mm."""
    heights = pairs_of(results)
    return _mean(heights[:, column, 1] - heights[:, column, 0])


def height_errors(results: Results) -> tuple[FloatArray, FloatArray]:
    """Stated uncertainty and error of each height of the matched bodies, (3n,) mm each."""
    both = np.concatenate([r.height_errors_mm for r in results] or [np.empty((0, 2))])
    return both[:, 0], both[:, 1]


def keypoint_mm(results: Results) -> float:
    """Mean distance of found and true keypoints."""
    return _mean(np.concatenate([r.keypoint_errors_mm for r in results] or [np.empty(0)]))


def uncertainty_rank(results: Results) -> float:
    """Spearman's rank correlation of the stated uncertainty and the error of a height."""
    stated, error = height_errors(results)
    if len(stated) < FEWEST or not np.isfinite(stated).all() or np.ptp(stated) == 0:
        return NAN
    return float(stats.spearmanr(stated, error).statistic)


def uncertainty_coverage(results: Results) -> float:
    """Share of heights whose error stays within twice the stated uncertainty."""
    stated, error = height_errors(results)
    known = np.isfinite(stated)
    return _mean((error <= 2 * stated)[known].astype(float))


def level_accuracy(results: Results) -> float:
    """Share of the named bodies whose name is right; NaN where none is named."""
    named = [
        pair.found.level == pair.truth.level
        for result in results
        for pair in result.pairs
        if UNKNOWN_LEVEL not in (pair.found.level, pair.truth.level)
    ]
    return _mean(np.array(named, float))


def seconds(results: Results) -> float:
    """Mean wall time of one analysis."""
    return _mean(np.array([r.seconds for r in results]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NAN


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else NAN
