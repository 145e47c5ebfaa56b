"""The spine's curve in the sagittal plane, and the unrolling along it.

The two-dimensional twin of `vfnode.spine.straighten`, with the same smoothing of
the tangents, so that drawn images are distorted as straightened CT are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from vfnode.training.synthetic.anatomy import Column

_STEP_MM = 1.0


@dataclass(frozen=True)
class SagittalCurve:
    """Points every millimetre, cranial to caudal; arc length 0 at the first body's centre."""

    points_mm: np.ndarray  #: (n, 2) x, z
    tangents: np.ndarray  #: (n, 2) unit, caudal
    start_mm: float  #: arc length of the first point, negative

    def to_natural(self, unrolled_mm: np.ndarray) -> np.ndarray:
        """(offset towards posterior, arc length) -> (x, z); (..., 2) mm."""
        point, tangent = self._at(unrolled_mm[..., 1])
        normal = np.stack([tangent[..., 1], -tangent[..., 0]], -1)
        return np.asarray(point + unrolled_mm[..., :1] * normal)

    def to_unrolled(self, points_mm: np.ndarray) -> np.ndarray:
        """(x, z) -> (offset towards posterior, arc length); (..., 2) mm."""
        arc = self.start_mm + np.interp(
            points_mm[..., 1], self.points_mm[:, 1], np.arange(len(self.points_mm)) * _STEP_MM
        )
        for _ in range(5):
            foot, tangent = self._at(arc)
            arc = arc + ((points_mm - foot) * tangent).sum(-1)
        foot, tangent = self._at(arc)
        normal = np.stack([tangent[..., 1], -tangent[..., 0]], -1)
        return np.stack([((points_mm - foot) * normal).sum(-1), arc], -1)

    def _at(self, arc_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row = np.clip((arc_mm - self.start_mm) / _STEP_MM, 0, len(self.points_mm) - 1)
        low = np.minimum(row.astype(int), len(self.points_mm) - 2)
        part = (row - low)[..., None]
        point = self.points_mm[low] * (1 - part) + self.points_mm[low + 1] * part
        tangent = self.tangents[low] * (1 - part) + self.tangents[low + 1] * part
        return point, tangent / np.linalg.norm(tangent, axis=-1, keepdims=True)


def curve_through(
    column: Column, rng: np.random.Generator, error_mm: float, margin_mm: float = 150.0
) -> SagittalCurve:
    """Curve through the body centres, with a smooth random error as a localiser makes it."""
    centres = np.array([vertebra.centre_mm for vertebra in column.vertebrae])
    centres = centres + rng.normal(0, error_mm, centres.shape) * [1.0, 0.0]
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
    inner = CubicSpline(arc, centres)(np.arange(0, arc[-1], _STEP_MM))
    direction = np.gradient(inner, axis=0)
    ends = [direction[: len(inner) // 8 + 5].mean(0), direction[-len(inner) // 8 - 5 :].mean(0)]
    ends = [end / np.linalg.norm(end) for end in ends]
    steps = np.arange(1, margin_mm)[:, None]
    points = np.concatenate([inner[0] - steps[::-1] * ends[0], inner, inner[-1] + steps * ends[1]])
    tangents = gaussian_filter1d(np.gradient(points, axis=0), 8.0 / _STEP_MM, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    return SagittalCurve(points, tangents, -float(len(steps)))
