"""One vertebral body: its six keypoints, its heights, its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from vfnode.errors import GeometryError

if TYPE_CHECKING:  # scipy takes half a second, and a table of names needs none of it
    from vfnode.spine.volume import FloatArray

COLUMNS = ("anterior", "middle", "posterior")  #: first axis of all keypoint arrays
ENDS = ("superior", "inferior")  #: second axis of all keypoint arrays

VertebralLevel = Enum(  # type: ignore[misc]  # members are computed, mypy cannot list them
    "VertebralLevel",
    {
        **{f"C{n}": f"C{n}" for n in range(1, 8)},
        **{f"T{n}": f"T{n}" for n in range(1, 14)},
        **{f"L{n}": f"L{n}" for n in range(1, 7)},
        "UNKNOWN": "unknown",
    },
)
VertebralLevel.__doc__ = "Name of a vertebra, C1 to L5; T13 and L6 are variants some people have."


def place_in_column(level: VertebralLevel) -> int:
    """Order of a level from the skull down: C1 is 0; an unknown one comes last."""
    return list(VertebralLevel).index(level)


@dataclass(frozen=True)
class Vertebra:
    """A body found on the straightened sagittal image.

    Raises:
        GeometryError: keypoints of another shape, or not finite.
    """

    keypoints: FloatArray  #: (3, 2, 2): anterior/middle/posterior x superior/inferior x (x, z) mm
    score: float  #: objectness, 0 to 1
    spread_mm: float  #: disagreement of the votes for the keypoints, mm

    def __post_init__(self) -> None:
        if self.keypoints.shape != (3, 2, 2) or not np.all(np.isfinite(self.keypoints)):
            raise GeometryError("a vertebra has six finite keypoints, shape (3, 2, 2)")
        self.keypoints.setflags(write=False)

    @property
    def centre(self) -> FloatArray:
        """Mean of the six keypoints, (x, z) mm."""
        centre: FloatArray = self.keypoints.mean((0, 1))
        return centre


def heights_mm(keypoints_mm: FloatArray) -> FloatArray:
    """Lengths of the three Genant segments.

    Args:
        keypoints_mm: (..., 3, 2, D), anterior/middle/posterior x superior/inferior, mm.

    Returns:
        (..., 3) anterior, middle, posterior, mm.
    """
    heights: FloatArray = np.linalg.norm(keypoints_mm[..., 0, :] - keypoints_mm[..., 1, :], axis=-1)
    return heights
