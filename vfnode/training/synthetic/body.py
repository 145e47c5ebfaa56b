"""Random vertebral bodies in their own sagittal frame, with deformities of known size.

Own frame: origin at the mean of the four corners, x towards posterior, z caudal, mm.
"""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.level_table import LEVEL_TABLE, LevelSize

DEFORMITY_KINDS = ("wedge", "biconcave", "crush")


@dataclass(frozen=True)
class VertebraShape:
    """One vertebral body in its own sagittal frame."""

    level: str
    keypoints_mm: np.ndarray  #: (3, 2, 2): ant/mid/post x superior/inferior x (x, z)
    #: (2, 2) superior/inferior x anterior/posterior half: 1 = V-shaped sag, 4 = U-shaped
    endplate_power: np.ndarray
    ripple_mm: np.ndarray  #: (2, 2) unevenness of each half, 0 at the keypoints
    wall_concavity_mm: np.ndarray  #: (2,) waist of the anterior and posterior wall
    osteophytes_mm: np.ndarray  #: (2, 2) length at ant/post x superior/inferior corner; 0 = none
    width_mm: float
    kind: str  #: 'none' or one of DEFORMITY_KINDS

    @property
    def heights_mm(self) -> np.ndarray:
        """Anterior, middle, posterior height; shape (3,), mm."""
        lengths: np.ndarray = np.linalg.norm(
            self.keypoints_mm[:, 1] - self.keypoints_mm[:, 0], axis=-1
        )
        return lengths

    @property
    def height_ratio(self) -> float:
        """Lowest over highest of the three heights."""
        return float(self.heights_mm.min() / self.heights_mm.max())

    def middle_fraction(self, side: int) -> float:
        """Place of the middle keypoint along the chord of an endplate, as a share of it."""
        front, middle, back = self.keypoints_mm[:, side]
        return float((middle - front) @ (back - front) / ((back - front) @ (back - front)))

    def endplate(self, side: int, fractions: np.ndarray) -> np.ndarray:
        """Points of an endplate, anterior to posterior corner.

        Args:
            side: 0 superior, 1 inferior.
            fractions: (n,) position along the chord, 0 anterior to 1 posterior.

        Returns:
            (n, 2) mm, own frame; runs exactly through the three keypoints.
        """
        front, middle, back = self.keypoints_mm[:, side]
        chord = back - front
        along = chord / np.hypot(*chord)
        peak = self.middle_fraction(side)
        sag = (middle - front) - ((middle - front) @ along) * along
        # Distance from the middle keypoint, 0 there and 1 at both corners.
        away = np.where(fractions < peak, 1 - fractions / peak, (fractions - peak) / (1 - peak))
        half = (fractions >= peak).astype(int)
        away = np.clip(away, 0, 1)
        profile = 1 - away ** self.endplate_power[side][half]
        ripple = self.ripple_mm[side][half] * np.sin(2 * np.pi * away)
        normal = np.array([-along[1], along[0]])
        sagged = front + fractions[:, None] * chord + profile[:, None] * sag
        return np.asarray(sagged + ripple[:, None] * normal)


def sample_shape(
    rng: np.random.Generator,
    level: str,
    size: float = 1.0,
    deformity: tuple[str, float] | None = None,
) -> VertebraShape:
    """Random body of a level.

    Args:
        rng: the only source of randomness.
        level: 'C2' to 'L5'.
        size: patient size, 1 = median.
        deformity: kind and height ratio to reach exactly; None for a body as grown.

    Raises:
        KeyError: unknown level or kind.
    """
    table = LEVEL_TABLE[level]
    grown = _grown_heights(rng, table, size)
    heights = grown if deformity is None else _DEFORM[deformity[0]](rng, grown, deformity[1])
    return VertebraShape(
        level=level,
        keypoints_mm=_keypoints(rng, table, size, grown, heights),
        endplate_power=rng.uniform(1.6 if deformity is None else 1.0, 4.0, (2, 2)),
        ripple_mm=rng.normal(0, 0.2 if deformity is None else 0.35, (2, 2)),
        wall_concavity_mm=np.abs(rng.normal([1.1, 0.7], [0.6, 0.4])) * table.depth_mm / 27 * size,
        osteophytes_mm=_osteophytes(rng, size),
        width_mm=float(table.width_mm * size * rng.normal(1, 0.04)),
        kind="none" if deformity is None else deformity[0],
    )


def _grown_heights(rng: np.random.Generator, table: LevelSize, size: float) -> np.ndarray:
    """Anterior, middle, posterior height of an undeformed body, mm."""
    common = size * rng.normal(1, 0.035)
    front = table.anterior_mm * common * rng.normal(1, 0.035)
    back = table.posterior_mm * common * rng.normal(1, 0.025)
    sag = size * (table.sag_superior_mm + table.sag_inferior_mm) * rng.normal(1, 0.25)
    sag += rng.normal(-0.2, 0.9)
    middle = np.clip((front + back) / 2 - sag, 0.72 * max(front, back), 1.1 * (front + back) / 2)
    return np.array([front, middle, back])


def _wedge(rng: np.random.Generator, grown: np.ndarray, ratio: float) -> np.ndarray:
    back = grown[2] * rng.uniform(0.94, 1.02)
    front = ratio * back
    middle = front + (back - front) * rng.uniform(0.02, 0.6)
    return np.array([front, middle, back])


def _biconcave(rng: np.random.Generator, grown: np.ndarray, ratio: float) -> np.ndarray:
    rims = grown[[0, 2]] * rng.uniform(0.9, 1.02, 2)
    middle = ratio * rims.max()
    rims = np.maximum(rims, middle + rng.uniform(0.1, 0.5) * (rims.max() - middle))
    return np.array([rims[0], middle, rims[1]])


def _crush(rng: np.random.Generator, grown: np.ndarray, ratio: float) -> np.ndarray:
    """All heights low: the highest loses too, most often the posterior one."""
    rims = rng.permutation([0, 2]) if rng.random() < 0.3 else np.array([2, 0])
    top = grown.max() * rng.uniform(0.6, 0.92)
    heights = top * (ratio + (1 - ratio) * rng.random(3))
    lowest = rng.choice([1, rims[1]])
    heights[1] = min(heights[1], heights[rims[1]] + 0.5 * (top - heights[rims[1]]))
    heights[rims[0]], heights[lowest] = top, ratio * top
    return np.asarray(heights)


_DEFORM = {"wedge": _wedge, "biconcave": _biconcave, "crush": _crush}


def _keypoints(
    rng: np.random.Generator,
    table: LevelSize,
    size: float,
    grown: np.ndarray,
    heights: np.ndarray,
) -> np.ndarray:
    """Six keypoints whose segment lengths are exactly `heights`."""
    depth = table.depth_mm * size * rng.normal(1, 0.06)
    half = depth / 2 * np.clip(rng.normal([0.99, 1.01], 0.02), 0.92, 1.08)
    middle = rng.normal(0, 0.012, 2) * depth
    x = np.array([-half, middle, half]) + rng.normal(0, 0.3, (3, 2))
    # Which endplate gave way: one alone in half of the bodies, else both.
    share = float(rng.choice([0.0, 1.0, rng.uniform(0.2, 0.8), 0.5], p=[0.2, 0.25, 0.35, 0.2]))
    if heights[1] < 0.55 * heights[[0, 2]].min():
        share = float(np.clip(share, 0.3, 0.7))  # one dent alone cannot take so much
    straight = np.interp([0.5], [0, 1], grown[[0, 2]])[0]
    sag_share = table.sag_superior_mm / (table.sag_superior_mm + table.sag_inferior_mm + 1e-9)
    top = -grown / 2
    top[1] = -straight / 2 + (straight - grown[1]) * np.clip(rng.normal(sag_share, 0.2), 0, 1)
    top = top + share * (grown - heights)
    drop = np.sqrt(heights**2 - (x[:, 1] - x[:, 0]) ** 2)
    points = np.stack([np.stack([x[:, 0], top], -1), np.stack([x[:, 1], top + drop], -1)], 1)
    return np.asarray(points - points[[0, 2]].mean((0, 1)))


def _osteophytes(rng: np.random.Generator, size: float) -> np.ndarray:
    """Length at each corner: some large ones, more small lips, front corners more often."""
    present = rng.random((2, 2)) < np.array([[0.22, 0.22], [0.06, 0.06]])
    lips = rng.random((2, 2)) < np.array([[0.3, 0.3], [0.1, 0.1]])
    large, small = rng.uniform(1.0, 6.0, (2, 2)), rng.uniform(0.8, 2.2, (2, 2))
    return np.asarray(np.where(present, large, lips * small) * size)
