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
from vfnode.spine.vertebra import VertebralLevel, place_in_column

if TYPE_CHECKING:  # scipy takes half a second, and settings need the limits alone
    from vfnode.spine.volume import FloatArray

#: Power of the level's usual wedging that is no loss: docs/decisions.md.
EXCUSED_WEDGING = 0.5
LEAST_CRUSH = 0.12  #: loss of the back that can be told from the spread of healthy bodies
TWICE = 2.0  #: one endplate alone is hollow where it is so much deeper than the other


class Deformity(Enum):
    """Part of the body that lost height (Genant 1993)."""

    NONE = "none"
    WEDGE = "wedge"
    BICONCAVE = "biconcave"
    CRUSH = "crush"


class Endplate(Enum):
    """Endplate of a biconcave body that is hollow."""

    SUPERIOR = "superior"
    INFERIOR = "inferior"
    BOTH = "both"


class Measure(Enum):
    """Reference of the loss that a grade follows."""

    ITSELF = "itself"
    EXPECTED = "expected"


@dataclass(frozen=True)
class GenantLimits:
    """Largest height ratio of each grade, and who is graded; a site setting, in every result.

    Raises:
        GeometryError: the limits do not fall from mild to severe within (0, 1), or the levels
            are none, in the wrong order, or begin above C3.
    """

    mild: float = 0.80
    moderate: float = 0.74
    severe: float = 0.60
    first_level: str = "T4"  #: Genant's grading was made for T4 to L4
    last_level: str = "L4"

    def __post_init__(self) -> None:
        if not 0 < self.severe < self.moderate < self.mild < 1:
            raise GeometryError(f"limits must fall from mild to severe within (0, 1): {self}")
        known = {level.value for level in VertebralLevel} - {"unknown"}
        if not {self.first_level, self.last_level} <= known:
            raise GeometryError(f"no vertebral level: {self.first_level} or {self.last_level}")
        first, last = self._places()
        # C1 has no body, and C2 has a dens.
        if not place_in_column(VertebralLevel("C3")) <= first <= last:
            raise GeometryError(f"graded levels must run downwards from C3 on: {self}")

    def grades(self, level: VertebralLevel) -> bool:
        """True if bodies of this level get a grade; those of an unknown level do not."""
        first, last = self._places()
        return level.value != "unknown" and first <= place_in_column(level) <= last

    def _places(self) -> tuple[int, int]:
        ends = (self.first_level, self.last_level)
        first, last = (place_in_column(VertebralLevel(name)) for name in ends)
        return first, last


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

    @property
    def is_fracture(self) -> bool:
        """True if the deformity is called a fracture: moderate and severe ones are."""
        return self.rank >= GenantGrade.MODERATE.rank

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


def ratio_in_itself(heights_mm: FloatArray, usual_wedging: float = 1.0) -> float:
    """Least share of its height that a part of the body kept, judged by the rest of the body.

    The middle is compared with the higher end; front and back with each other, of which half of
    the wedging that is usual at the level counts as no loss. A middle higher than both ends is
    no loss of theirs.

    Args:
        heights_mm: anterior, middle, posterior; shape (3,), mm.
        usual_wedging: median of anterior over posterior height at the level.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    _check_heights(heights_mm)
    return float(ratios_in_themselves(heights_mm, usual_wedging))


def ratios_in_themselves(heights_mm: FloatArray, usual_wedging: float) -> FloatArray:
    """:func:`ratio_in_itself` of many bodies of one level: (..., 3) mm -> (...)."""
    anterior, middle, posterior = np.moveaxis(heights_mm, -1, 0)
    front = anterior / posterior / usual_wedging**EXCUSED_WEDGING
    ratios = (middle / np.maximum(anterior, posterior), front, 1 / front)
    return np.asarray(np.minimum(1.0, np.minimum.reduce(ratios)))


def ratio_to_expected(heights_mm: FloatArray, expected_mm: FloatArray) -> float:
    """Share of its expected height that a body kept, mean of its three parts; at most 1.

    The mean, since a part that is low alone is seen against the body itself, and since the
    lowest of three measured shares is too low by chance.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    _check_heights(heights_mm)
    _check_heights(expected_mm)
    return min(1.0, float((heights_mm / expected_mm).mean()))


def deformity(heights_mm: FloatArray, expected_mm: FloatArray) -> Deformity:
    """Type of deformity by what each part lost against its expected height; both (3,) mm.

    A crush where the back lost at least half as much as the part that lost most, and visibly;
    else a wedge where the front lost more than the middle, else biconcave.

    Raises:
        GeometryError: a height is not finite or not positive.
    """
    _check_heights(heights_mm)
    _check_heights(expected_mm)
    anterior, middle, posterior = (float(loss) for loss in 1 - heights_mm / expected_mm)
    if posterior >= max(LEAST_CRUSH, max(anterior, middle) / 2):
        return Deformity.CRUSH
    return Deformity.WEDGE if anterior >= middle else Deformity.BICONCAVE


def hollow_endplate(keypoints_mm: FloatArray) -> Endplate:
    """Endplate whose middle lies deeper in the body than its corners; (3, 2, 3) LPS mm."""
    up = keypoints_mm[:, 0].mean(0) - keypoints_mm[:, 1].mean(0)
    up = up / np.linalg.norm(up)
    depth = (keypoints_mm[[0, 2]].mean(0) - keypoints_mm[1]) @ up * np.array([1, -1])
    superior, inferior = (float(value) for value in depth)
    if superior >= TWICE * inferior:
        return Endplate.SUPERIOR
    return Endplate.INFERIOR if inferior >= TWICE * superior else Endplate.BOTH


def _check_heights(heights_mm: FloatArray) -> None:
    if not np.all(np.isfinite(heights_mm) & (heights_mm > 0)):
        raise GeometryError(f"heights must be positive: {heights_mm} mm")
