"""The measured bodies of one spine, on their way from the second look to the findings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import FloatArray

UNKNOWN_LEVEL = VertebralLevel["UNKNOWN"].value


@dataclass(frozen=True)
class LevelNames:
    """Names of the n bodies of a spine, and how sure they are."""

    shown: tuple[str, ...]  #: UNKNOWN_LEVEL where the name is a guess
    likely: tuple[str, ...]  #: most probable ones, guesses too; S1 where sacrum is likely
    plausible: tuple[tuple[str, ...], ...]  #: that each body may have
    confidence: FloatArray  #: (n,)


@dataclass(frozen=True)
class Bodies:
    """Bodies in the patient, cranial to caudal; n may be 0."""

    keypoints_mm: FloatArray  #: (n, 3, 2, 3) LPS
    objectness: FloatArray  #: (n,)
    spread_mm: FloatArray  #: (n, 3, 2) standard deviation of each point's heat-map, axial
    levels: LevelNames = field(default_factory=lambda: LevelNames((), (), (), np.zeros(0)))

    def keep(self, chosen: np.ndarray) -> Bodies:
        """Some of the bodies, not named; ``chosen`` (n,) bool."""
        return Bodies(self.keypoints_mm[chosen], self.objectness[chosen], self.spread_mm[chosen])
