"""Expected heights of a vertebral body: from its neighbours and the proportions of its level.

Logarithms of the heights, less the medians of their levels, vary along a spine as a Gaussian
process: the size of the person, slow waves, and what each body has of its own. A body is
predicted from all others (kriging). Fractured and misread bodies lie far from what the others
say: they lose weight and all are predicted anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vfnode.spine.named_columns import columns_array, of_columns
from vfnode.spine.volume import FloatArray

FEWEST = 3  #: bodies that say what another one should be
ODD = 2.0  #: standard deviations from what the others say, from where a body loses weight
DOUBT = 0.05  #: standard deviation that a body of half the weight gains
ROUNDS = 4  #: of weighing; weights change by less than a hundredth after three
LEAST_WEIGHT = 0.002


@dataclass(frozen=True)
class Variation:
    """Standard deviations (natural logarithm) of a body's heights, and reaches in levels."""

    size: float  #: of a person, all heights alike
    column: float  #: of a person, and how a reader places points: each of the three heights
    wave: float  #: along the spine, all heights alike
    wave_reach: float
    column_wave: float  #: along the spine, each height
    column_wave_reach: float
    own: float  #: of one height of one body

    def covariance(self, levels: FloatArray) -> FloatArray:
        """(3n, 3n) of the heights of bodies at levels (n,), body by body."""
        apart = np.abs(levels[:, None] - levels[None])
        common = self.size**2 + self.wave**2 * np.exp(-apart / self.wave_reach)
        each = self.column**2 + self.column_wave**2 * np.exp(-apart / self.column_wave_reach)
        each = each + self.own**2 * np.eye(len(levels))
        return np.asarray(np.kron(common, np.ones((3, 3))) + np.kron(each, np.eye(3)))


@dataclass(frozen=True)
class LevelProfile:
    """Proportions of the levels, from readings of many people."""

    names: tuple[str, ...]  #: cranial to caudal
    heights_mm: FloatArray  #: (names, 3) medians; only their proportions are used
    variation: Variation

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LevelProfile:
        """From the file that ``vfnode calibrate levels`` writes."""
        heights = {name: columns_array(level) for name, level in data["heights_mm"].items()}
        return cls(tuple(heights), np.array(list(heights.values())), Variation(**data["variation"]))

    def usual_wedging(self, name: str) -> float:
        """Median of anterior over posterior height at a level; 1 at an unknown one."""
        if name not in self.names:
            return 1.0
        anterior, _, posterior = self.heights_mm[self.names.index(name)]
        return float(anterior / posterior)


@dataclass(frozen=True)
class Expectation:
    """Expected heights of a body, by its neighbours and the proportions of its level."""

    heights_mm: FloatArray  #: (3,)
    spread: FloatArray  #: (3,) standard deviation, relative
    usual_wedging: float  #: median of anterior over posterior height at the level

    def to_dict(self) -> dict[str, Any]:
        """The part ``expected`` of a vertebra in result.json."""
        return {
            "heights_mm": of_columns(self.heights_mm, 3),
            "spread": of_columns(self.spread, 4),
            "usual_wedging": round(self.usual_wedging, 4),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Expectation:
        """Inverse of :meth:`to_dict`."""
        heights, spread = (columns_array(data[name]) for name in ("heights_mm", "spread"))
        return cls(heights, spread, data["usual_wedging"])


def expected_heights(
    profile: LevelProfile,
    names: Sequence[str],
    heights_mm: FloatArray,
    error_mm: FloatArray,
    telling: npt.NDArray[np.bool_],
) -> tuple[Expectation | None, ...]:
    """Predict each body of a spine from the others.

    Args:
        profile: proportions of the levels.
        names: of the n bodies, the most probable ones where none is certain.
        heights_mm: (n, 3) as measured.
        error_mm: (n, 3) standard deviation of the measurement.
        telling: (n,) bodies that say something of the others: not cut, without cement.

    Returns:
        One expectation a body; None where its level has no proportions or fewer than
        ``FEWEST`` others say anything.
    """
    levels = np.array([profile.names.index(n) if n in profile.names else -1 for n in names])
    known = [i for i, level in enumerate(levels) if level >= 0]
    found: list[Expectation | None] = [None] * len(names)
    if telling[known].sum() <= FEWEST:
        return tuple(found)
    usual = np.log(profile.heights_mm[levels[known]])
    column = Column(
        profile.variation.covariance(levels[known].astype(float)),
        np.log(heights_mm[known]) - usual,
        error_mm[known] / heights_mm[known],
        telling[known],
    )
    mean, spread = column.predicted()
    for row, index in enumerate(known):
        found[index] = Expectation(
            np.exp(mean[row] + usual[row]), spread[row], profile.usual_wedging(names[index])
        )
    return tuple(found)


@dataclass(frozen=True)
class Column:
    """Bodies of one spine, heights as logarithms less the medians of their levels."""

    prior: FloatArray  #: (3n, 3n)
    logs: FloatArray  #: (n, 3)
    noise: FloatArray  #: (n, 3) standard deviation
    telling: npt.NDArray[np.bool_]  #: (n,)

    def predicted(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (n, 3) of each body from all others that tell."""
        weights = np.ones(len(self.logs))
        for _ in range(ROUNDS):
            pairs = [self.from_others(i, weights) for i in range(len(weights))]
            mean, spread = np.array([pair[0] for pair in pairs]), np.array([p[1] for p in pairs])
            odd = np.abs((self.logs - mean) / np.hypot(spread, self.noise)).max(1)
            weights = np.clip((ODD / np.maximum(odd, ODD)) ** 4, LEAST_WEIGHT, 1.0)
        return mean, spread

    def from_others(self, index: int, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (3,) of one body, its own heights not used."""
        others = self.telling.copy()
        others[index] = False
        rows = np.flatnonzero(np.repeat(others, 3))
        own = slice(3 * index, 3 * index + 3)
        noise = self.noise[others] ** 2 + (1 / weights[others, None] - 1) * DOUBT**2
        gain = np.linalg.solve(
            self.prior[np.ix_(rows, rows)] + np.diag(noise.ravel()), self.prior[rows, own]
        )
        variance = np.diag(self.prior[own, own] - gain.T @ self.prior[rows, own])
        return gain.T @ self.logs[others].ravel(), np.sqrt(np.maximum(variance, 0.0))
