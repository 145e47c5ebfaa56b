"""Calibration of P(moderate or worse): reliability, calibration error, thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.evaluation.calls import judged
from vfnode.evaluation.ranking import Results
from vfnode.spine.volume import FloatArray

BINS = 10  #: of equal width, from 0 to 1
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class ReliabilityBin:
    """Bodies whose stated probability lies in one part of 0 to 1."""

    stated: float  #: mean probability
    observed: float  #: share that is in truth moderate or severe
    bodies: int


@dataclass(frozen=True)
class ThresholdRow:
    """Calls that a threshold on the probability would make."""

    threshold: float
    found: float  #: share of the true moderate and severe bodies at or above it
    false: float  #: share of the others


def stated(results: Results) -> tuple[FloatArray, FloatArray]:
    """Probability (n,), and truth (n,) as 0 or 1, of the found bodies that have both."""
    rows = [
        (one.found.judgement.probability, float(one.is_fracture))
        for one in judged(results)
        if one.found is not None and one.true_grade is not None
    ]
    both = np.array(rows, float).reshape(-1, 2)
    known = both[np.isfinite(both[:, 0])]
    return known[:, 0], known[:, 1]


def reliability(results: Results) -> tuple[ReliabilityBin, ...]:
    """Stated against observed, from low to high; parts without a body are left out."""
    probability, truth = stated(results)
    part = np.minimum((probability * BINS).astype(int), BINS - 1)
    return tuple(
        ReliabilityBin(
            float(probability[part == index].mean()),
            float(truth[part == index].mean()),
            int((part == index).sum()),
        )
        for index in np.unique(part)
    )


def calibration_error(results: Results) -> float:
    """Expected calibration error: mean distance of stated and observed, weighted by bodies."""
    parts = reliability(results)
    bodies = sum(part.bodies for part in parts)
    if bodies == 0:
        return float("nan")
    return sum(abs(part.stated - part.observed) * part.bodies for part in parts) / bodies


def thresholds(results: Results) -> tuple[ThresholdRow, ...]:
    """Found and false shares at ``THRESHOLDS``; empty where no probability is stated."""
    probability, truth = stated(results)
    if len(probability) == 0:
        return ()
    return tuple(
        ThresholdRow(
            limit,
            _share(probability[truth == 1] >= limit),
            _share(probability[truth == 0] >= limit),
        )
        for limit in THRESHOLDS
    )


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")
