"""Genant's semi-quantitative grading of vertebral compression fractures.

Genant HK, Wu CY, van Kuijk C, Nevitt MC. J Bone Miner Res 1993;8:1137-48. The limits are
those of Zakharov, Pisov et al., Med Image Anal 83 (2023), taken on the height ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from vfnode.errors import GeometryError

if TYPE_CHECKING:  # scipy takes half a second, and settings need the limits alone
    from vfnode.spine.volume import FloatArray


class Deformity(Enum):
    """Which part of the body lost height (Genant 1993)."""

    NONE = "none"
    WEDGE = "wedge"
    BICONCAVE = "biconcave"
    CRUSH = "crush"


@dataclass(frozen=True)
class GenantLimits:
    """Largest height ratio of each grade; a site setting, written into every result.

    Raises:
        GeometryError: the limits do not fall from mild to severe within (0, 1).
    """

    mild: float = 0.80
    moderate: float = 0.74
    severe: float = 0.60

    def __post_init__(self) -> None:
        if not 0 < self.severe < self.moderate < self.mild < 1:
            raise GeometryError(f"limits must fall from mild to severe within (0, 1): {self}")


class GenantGrade(Enum):
    """Severity by the height ratio."""

    NORMAL = "normal"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"

    @property
    def rank(self) -> int:
        """0 for normal to 3 for severe."""
        return list(GenantGrade).index(self)

    @classmethod
    def from_height_ratio(cls, ratio: float, limits: GenantLimits | None = None) -> GenantGrade:
        """Grade of one body; a ratio on a limit takes the higher grade."""
        # Limits on the ratio, not the loss: 20/25 is exactly 0.80 in floating
        # point, while 1 - 20/25 falls just short of 0.20.
        used = limits or GenantLimits()
        reached = sum(ratio <= limit for limit in (used.mild, used.moderate, used.severe))
        return list(cls)[reached]


def height_ratio(heights_mm: FloatArray) -> float:
    """Lowest over highest of the three heights of one vertebral body.

    Args:
        heights_mm: anterior, middle, posterior; shape (3,), mm.

    Returns:
        Ratio in (0, 1]; 1 minus it is the height loss of Genant 1993.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    _check_heights(heights_mm)
    return float(heights_mm.min() / heights_mm.max())


def height_loss_posterior(heights_mm: FloatArray) -> float:
    """The other common definition of loss: 1 - min(anterior, middle) / posterior.

    Negative where the back of the body is the lowest part.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    _check_heights(heights_mm)
    return float(1.0 - heights_mm[:2].min() / heights_mm[2])


def deformity(heights_mm: FloatArray, limits: GenantLimits | None = None) -> Deformity:
    """Type of deformity from anterior, middle and posterior height; shape (3,), mm.

    None while the ratio is normal. Otherwise: the back lowest is a crush; the front lost
    against the back as far as a mild grade asks is a wedge; else the middle alone is
    lost, which is biconcave.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    used = limits or GenantLimits()
    if height_ratio(heights_mm) > used.mild:
        return Deformity.NONE
    anterior, middle, posterior = (float(height) for height in heights_mm)
    if posterior < min(anterior, middle):
        return Deformity.CRUSH
    if anterior <= used.mild * posterior or anterior <= middle:
        return Deformity.WEDGE
    return Deformity.BICONCAVE


def _check_heights(heights_mm: FloatArray) -> None:
    if not np.all(np.isfinite(heights_mm) & (heights_mm > 0)):
        raise GeometryError(f"heights must be positive: {heights_mm} mm")
