"""The spine's centre line: even steps, tangents, and frames that do not flip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from vfnode.errors import GeometryError
from vfnode.spine.volume import FloatArray

LEFT = np.array([1.0, 0.0, 0.0])  #: the patient's left in LPS


@dataclass(frozen=True)
class SpineCurve:
    """Centre line of the vertebral bodies, cranial to caudal.

    Raises:
        GeometryError: fewer than two points, or coordinates that are not finite.
    """

    points_mm: FloatArray  #: (N, 3), patient LPS, evenly spaced
    step_mm: float

    def __post_init__(self) -> None:
        if self.points_mm.ndim != 2 or self.points_mm.shape[1] != 3 or len(self.points_mm) < 2:  # noqa: PLR2004
            raise GeometryError(f"a curve has at least two points, not {self.points_mm.shape}")
        if not np.all(np.isfinite(self.points_mm)):
            raise GeometryError("a curve's points must be finite")
        self.points_mm.setflags(write=False)

    @classmethod
    def from_points(cls, points_mm: FloatArray, step_mm: float = 1.0) -> SpineCurve:
        """Cubic spline through points (M, 3) in LPS mm, cut into even steps of arc length."""
        points = np.asarray(points_mm, float)
        if len(points) < 2:  # noqa: PLR2004 - a line needs two points
            raise GeometryError("a curve needs at least two points")
        distance = np.linalg.norm(np.diff(points, axis=0), axis=1)
        points = points[np.concatenate([[True], distance > 1e-6])]  # noqa: PLR2004 - repeats
        along = _arc_length(points)
        fine = CubicSpline(along, points)(np.linspace(0, along[-1], max(2, int(along[-1] * 4))))
        arc = _arc_length(fine)
        steps = np.arange(0, arc[-1] + 1e-9, step_mm)
        even = np.stack([np.interp(steps, arc, fine[:, axis]) for axis in range(3)], 1)
        return cls(even, step_mm)

    @property
    def length_mm(self) -> float:
        """Arc length from the first to the last point."""
        return (len(self.points_mm) - 1) * self.step_mm

    def tangents(self, smoothing_mm: float = 8.0) -> FloatArray:
        """Unit vectors (N, 3) pointing caudally, smoothed along the curve by a Gaussian."""
        raw = np.gradient(self.points_mm, axis=0)
        smooth = gaussian_filter1d(raw, smoothing_mm / self.step_mm, axis=0, mode="nearest")
        return _unit(smooth)

    def frames(self, smoothing_mm: float = 8.0) -> FloatArray:
        """Frame at each point: columns posterior, left, caudal, origin; shape (N, 4, 4).

        Built from the tangent and the patient's left-right axis: a Frenet frame would flip
        where the spine is straight.
        """
        return frames_along(self.points_mm, self.tangents(smoothing_mm))


def frames_along(
    origins_mm: FloatArray, tangents: FloatArray, left: FloatArray = LEFT
) -> FloatArray:
    """Orthonormal frames (N, 4, 4) from origins (N, 3), caudal tangents and a left direction."""
    posterior = _unit(np.cross(np.broadcast_to(left, tangents.shape), tangents))
    frames = np.zeros((len(origins_mm), 4, 4))
    frames[:, :3, 0] = posterior
    frames[:, :3, 1] = np.cross(tangents, posterior)
    frames[:, :3, 2] = tangents
    frames[:, :3, 3] = origins_mm
    frames[:, 3, 3] = 1.0
    return frames


def _arc_length(points: FloatArray) -> FloatArray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
