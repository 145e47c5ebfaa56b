"""Random vertebral columns in the sagittal plane, with deformities of known size.

Frame of the column: x towards posterior, z caudal, mm, patient upright.
Numbers in and out, no image; bodies come from `body.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.body import DEFORMITY_KINDS, VertebraShape, sample_shape
from vfnode.training.synthetic.level_table import LEVEL_TABLE, LEVELS

__all__ = [
    "DEFORMITY_KINDS",
    "LEVELS",
    "LEVEL_TABLE",
    "Column",
    "PlacedVertebra",
    "VertebraShape",
    "sample_column",
    "sample_deformities",
    "sample_shape",
]

_LOWEST_GAP_MM = 0.8


@dataclass(frozen=True)
class PlacedVertebra:
    """A body where it lies in the column."""

    shape: VertebraShape
    centre_mm: np.ndarray  #: (2,) x, z of the body frame's origin
    angle_rad: float  #: turn of its antero-posterior axis from +x towards +z

    def to_column(self, points_mm: np.ndarray) -> np.ndarray:
        """Own frame -> column frame; (..., 2) mm."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        turn = np.array([[cos, sin], [-sin, cos]])
        return np.asarray(points_mm @ turn + self.centre_mm)

    @property
    def keypoints_mm(self) -> np.ndarray:
        """(3, 2, 2): ant/mid/post x superior/inferior x (x, z), column frame."""
        return self.to_column(self.shape.keypoints_mm)


@dataclass(frozen=True)
class Column:
    """Vertebral bodies from cranial to caudal, column frame."""

    vertebrae: tuple[PlacedVertebra, ...]
    size: float  #: patient size, 1 = median


def sample_deformities(
    rng: np.random.Generator,
    levels: Sequence[str],
    fraction: float,
    ratios: tuple[float, float] = (0.3, 0.97),
) -> dict[str, tuple[str, float]]:
    """Deform a random share of the levels, height ratio uniform between `ratios`."""
    chosen = [level for level in levels if rng.random() < fraction]
    return {
        level: (str(rng.choice(DEFORMITY_KINDS)), float(rng.uniform(*ratios))) for level in chosen
    }


def sample_column(
    rng: np.random.Generator,
    levels: Sequence[str],
    *,
    size: float | None = None,
    curvature: float = 1.0,
    deformities: Mapping[str, tuple[str, float]] | None = None,
) -> Column:
    """Random column of the given consecutive levels.

    Args:
        rng: the only source of randomness.
        levels: cranial to caudal, e.g. ``LEVELS[6:18]``.
        size: patient size, drawn when None (sd 8 %).
        curvature: 1 = natural kyphosis and lordosis, 0 = straightened.
        deformities: level -> (kind, height ratio), e.g. ``{"T8": ("wedge", 0.70)}``.

    Returns:
        Column centred on (0, 0): the mean of the body centres.
    """
    wanted = deformities or {}
    size = float(np.clip(rng.normal(1, 0.08), 0.78, 1.25)) if size is None else size
    shapes = [sample_shape(rng, level, size, wanted.get(level)) for level in levels]
    spread = float(rng.uniform(0.7, 1.3))  # thin or thick discs run through a whole column
    placed = [PlacedVertebra(shapes[0], np.zeros(2), 0.0)]
    for shape in shapes[1:]:
        placed.append(_below(rng, placed[-1], shape, spread * size))
    return _settle(placed, size, curvature)


def _below(
    rng: np.random.Generator, above: PlacedVertebra, shape: VertebraShape, spread: float
) -> PlacedVertebra:
    """Place a body under another: disc gaps of the level, posterior walls in line."""
    table = LEVEL_TABLE[above.shape.level]
    gap = spread * np.array([table.gap_front_mm, table.gap_back_mm]) * rng.normal(1, 0.18, 2)
    gap = np.maximum(gap, _LOWEST_GAP_MM)
    deformed = "none" not in (above.shape.kind, shape.kind)
    # A wedge is answered by more kyphosis, by a wider disc, or by some of each.
    closing = rng.uniform(0, 1) if deformed or rng.random() < 0.3 else rng.uniform(0.7, 1)
    front, back = above.keypoints_mm[[0, 2], 1]
    chord = _angle(back - front)
    disc = np.arctan2(gap[1] - gap[0], np.hypot(*(back - front)))
    own = _angle(shape.keypoints_mm[2, 0] - shape.keypoints_mm[0, 0])
    parallel = chord + disc - own
    angle = above.angle_rad + closing * (parallel - above.angle_rad) + rng.normal(0, 0.015)
    normal = np.array([-np.sin(chord), np.cos(chord)])
    along = np.array([normal[1], -normal[0]])
    corner = back + gap[1] * normal + rng.normal(0, 0.5) * along
    placed = PlacedVertebra(shape, np.zeros(2), float(angle))
    placed = PlacedVertebra(shape, corner - placed.keypoints_mm[2, 0], float(angle))
    lack = _LOWEST_GAP_MM + gap.min() * 0.5 - _clearance(above, placed, normal)
    return PlacedVertebra(shape, placed.centre_mm + max(lack, 0.0) * normal, float(angle))


def _clearance(above: PlacedVertebra, below: PlacedVertebra, normal: np.ndarray) -> float:
    """Smallest gap along `normal` between two facing endplates, mm."""
    fractions = np.linspace(0, 1, 9)
    lower = above.to_column(above.shape.endplate(1, fractions))
    upper = below.to_column(below.shape.endplate(0, fractions))
    return float(((upper - lower) @ normal).min())


def _angle(vector: np.ndarray) -> float:
    return float(np.arctan2(vector[1], vector[0]))


def _settle(placed: list[PlacedVertebra], size: float, curvature: float) -> Column:
    """Stand the column upright, take out curvature where asked for, centre it."""
    angles = np.array([vertebra.angle_rad for vertebra in placed])
    trend = np.convolve(np.pad(angles, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    centres = np.array([vertebra.centre_mm for vertebra in placed])
    lean = np.arctan2(*(centres[-1] - centres[0])) if len(placed) > 1 else float(angles[0])
    steps = np.diff(centres, axis=0)
    kept = (trend + lean) * curvature
    turned = [np.zeros(2)]
    for step, old, new in zip(
        steps, (trend[1:] + trend[:-1]) / 2, (kept[1:] + kept[:-1]) / 2, strict=True
    ):
        turned.append(turned[-1] + _rotated(step, new - old))
    middle = np.mean(turned, axis=0)
    return Column(
        tuple(
            PlacedVertebra(vertebra.shape, centre - middle, float(angle - old + new))
            for vertebra, centre, angle, old, new in zip(
                placed, turned, angles, trend, kept, strict=True
            )
        ),
        size,
    )


def _rotated(vector: np.ndarray, angle_rad: float) -> np.ndarray:
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.asarray(vector @ np.array([[cos, sin], [-sin, cos]]))
