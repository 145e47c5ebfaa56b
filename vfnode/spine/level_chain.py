"""Names for a row of vertebral bodies: what each looks like, and the order of the column.

A column has no two bodies of one name and leaves none out, so one clear sign (the first rib, the
sacrum) names them all. The names are the most probable way through the column (Viterbi), their
certainty the share of all ways that agree (forward-backward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from vfnode.spine.volume import FloatArray

#: Every name in the order of the column, and the distance from its centre to the next one's, mm:
#: medians over the annotation of 100 chest CT (Cancer500, see level_table), ends extrapolated.
PITCH_MM = {
    **{"C1": 19.0, "C2": 18.8, "C3": 16.2, "C4": 15.8, "C5": 15.6, "C6": 16.8, "C7": 18.6},
    **{"T1": 19.8, "T2": 20.6, "T3": 20.8, "T4": 21.0, "T5": 21.3, "T6": 21.6, "T7": 22.2},
    **{"T8": 23.2, "T9": 24.7, "T10": 26.3, "T11": 28.4, "T12": 31.0, "T13": 31.0, "L1": 33.8},
    **{"L2": 35.9, "L3": 36.6, "L4": 36.8, "L5": 35.0, "L6": 35.0, "S1": 30.0},
}
NAMES = tuple(PITCH_MM)
EXTRA = ("T13", "L6")  #: that most people do not have
EXTRA_COST = 4.0  #: nats; 5 to 8 % of people have a lumbosacral or thoracolumbar variant
MISSED_COST = 3.0  #: nats for each body that was not found between two others
PLAUSIBLE = 0.05  #: share of all ways from which a name is one that a body may have
SPACING_SD = 0.2  #: of the distance of two bodies, relative to the pitch of their levels


@dataclass(frozen=True)
class NamedColumn:
    """The names of n bodies, cranial to caudal."""

    names: tuple[str, ...]
    confidence: FloatArray  #: (n,) 0 to 1
    plausible: tuple[tuple[str, ...], ...]  #: names that each body may have, cranial to caudal


def name_column(evidence: dict[str, FloatArray], gaps_mm: FloatArray) -> NamedColumn:
    """Name consecutive bodies by what they look like and by their distances.

    Args:
        evidence: log-probability (n,) of each body to have a name, for each of ``NAMES``
            but those of ``EXTRA``, which look like the names beside them.
        gaps_mm: (n - 1,) distance of the centres of consecutive bodies.

    Returns:
        Names with a confidence of 0 where no naming is possible.
    """
    looks = np.stack([_look(evidence, name) for name in NAMES], 1)
    steps = _steps()
    first = _best_way(looks, [_moves(gap, steps, 1.0) for gap in gaps_mm])
    size = _size(first, gaps_mm, steps)
    moves = [_moves(gap, steps, size) for gap in gaps_mm]
    way = _best_way(looks, moves)
    # Where no way leads through the column (more bodies than names, a distance that is no
    # number) every share is none: nothing is certain then.
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num(_shares(looks, moves), nan=0.0)
    confidence = shares[np.arange(len(way)), way]
    plausible = tuple(tuple(np.array(NAMES)[row >= PLAUSIBLE].tolist()) for row in shares)
    return NamedColumn(tuple(NAMES[i] for i in way), confidence, plausible)


def _look(evidence: dict[str, FloatArray], name: str) -> FloatArray:
    if name in evidence:
        return evidence[name]
    at = NAMES.index(name)
    beside = [evidence[NAMES[at - 1]], evidence[NAMES[at + 1]]]
    return np.asarray(logsumexp(beside, axis=0) - np.log(2) - EXTRA_COST)


def _steps() -> FloatArray:
    """(names, names): how many levels lie from one to another; T13 and L6 only count if named."""
    order = np.arange(len(NAMES), dtype=float)
    steps = order[None, :] - order[:, None]
    for name in EXTRA:
        at = NAMES.index(name)
        steps -= (order[:, None] < at) & (order[None, :] > at)
    return steps


def _moves(gap_mm: float, steps: FloatArray, size: float) -> FloatArray:
    """Log-probability (names, names) of two consecutive bodies so far apart."""
    pitch = size * np.array(list(PITCH_MM.values()))
    middle = (pitch[:, None] + np.roll(pitch, 1)[None, :]) / 2  # of the levels between
    surplus = (gap_mm / middle - steps) / SPACING_SD
    cost = surplus**2 / 2 + MISSED_COST * (steps - 1)
    return np.asarray(np.where(steps >= 1, -cost, -np.inf))


def _size(way: list[int], gaps_mm: FloatArray, steps: FloatArray) -> float:
    """Size of the patient, 1 for the mean: from the distances of neighbours."""
    pitch = list(PITCH_MM.values())
    ratios = [
        gap / pitch[a]
        for gap, a, b in zip(gaps_mm, way[:-1], way[1:], strict=True)
        if steps[a, b] == 1
    ]
    return float(np.clip(np.median(ratios), 0.7, 1.4)) if ratios else 1.0


def _best_way(looks: FloatArray, moves: list[FloatArray]) -> list[int]:
    total, before = looks[0], []
    for look, move in zip(looks[1:], moves, strict=True):
        reached = total[:, None] + move
        before.append(reached.argmax(0))
        total = reached.max(0) + look
    way = [int(total.argmax())]
    for choice in reversed(before):
        way.append(int(choice[way[-1]]))
    return way[::-1]


def _shares(looks: FloatArray, moves: list[FloatArray]) -> FloatArray:
    """(n, names): share of all ways, by probability, in which a body has a name."""
    down, up = [looks[0]], [np.zeros(len(NAMES))]
    for look, move in zip(looks[1:], moves, strict=True):
        down.append(logsumexp(down[-1][:, None] + move, axis=0) + look)
    for look, move in zip(looks[:0:-1], moves[::-1], strict=True):
        up.append(logsumexp(move + look + up[-1], axis=1))
    both = np.array(down) + np.array(up[::-1])
    return np.asarray(np.exp(both - logsumexp(both, axis=1, keepdims=True)))
