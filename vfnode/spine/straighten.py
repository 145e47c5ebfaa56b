"""CT + frames along the spine -> one sagittal image, and the exact way back to the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.errors import GeometryError
from vfnode.spine.curve import SpineCurve
from vfnode.spine.resample import FloatImage
from vfnode.spine.volume import CTVolume, FloatArray


@dataclass(frozen=True)
class SagittalImage:
    """A sagittal image of the spine with square pixels.

    Column j lies ``j * step_mm`` from the anterior edge, row i ``i * step_mm`` from the cranial
    one; pixel centres are at whole indices, and the spine runs at ``curve_x_mm``. Sagittal
    points are (x, z) in mm, x towards posterior, z caudal.
    """

    hu: FloatImage  #: (N, W)
    step_mm: float

    def __post_init__(self) -> None:
        if self.hu.ndim != 2 or len(self.hu) < 2:  # noqa: PLR2004
            raise GeometryError("a sagittal image has two axes and at least two rows")
        self.hu.setflags(write=False)

    @property
    def curve_x_mm(self) -> float:
        """The x at which the spine runs, mm."""
        return float((self.hu.shape[1] - 1) / 2 * self.step_mm)


@dataclass(frozen=True)
class StraightenedSagittal(SagittalImage):
    """The sagittal surface that contains the spine, unrolled: row i is at that arc length."""

    frames: FloatArray  #: (N, 4, 4) columns posterior, left, caudal, origin; to patient LPS mm

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames.shape != (len(self.hu), 4, 4):
            raise GeometryError("a straightened image needs one frame a row")
        self.frames.setflags(write=False)

    def to_patient(self, xz_mm: FloatArray) -> FloatArray:
        """Sagittal points (..., 2) -> patient LPS mm (..., 3); straight on beyond the ends."""
        points = np.asarray(xz_mm, float).reshape(-1, 2)
        origin, posterior, caudal, beyond = self._frame_at(points[:, 1] / self.step_mm)
        offset = (points[:, 0] - self.curve_x_mm)[:, None]
        patient = origin + offset * posterior + beyond[:, None] * caudal
        return patient.reshape(*np.shape(xz_mm)[:-1], 3)

    def to_sagittal(self, points_mm: FloatArray) -> FloatArray:
        """Patient points (..., 3) -> the (x, z) whose plane holds them, mm (..., 2).

        The inverse of :meth:`to_patient` for points on the surface; points beside it are
        projected along the frame's left axis.
        """
        points = np.asarray(points_mm, float).reshape(-1, 3)
        row = self._row_of(points)
        origin, posterior, caudal, _ = self._frame_at(row)
        delta = points - origin
        clipped = np.clip(row, 0, len(self.frames) - 1)
        x_mm = np.sum(delta * posterior, -1) + self.curve_x_mm
        z_mm = clipped * self.step_mm + np.sum(delta * caudal, -1)
        return np.stack([x_mm, z_mm], -1).reshape(*np.shape(points_mm)[:-1], 2)

    def _frame_at(self, row: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Origin, posterior, caudal at fractional rows (M,), and mm beyond the ends."""
        last = len(self.frames) - 1
        inside = np.clip(row, 0, last)
        low = np.minimum(inside.astype(int), last - 1)
        part = (inside - low)[:, None, None]
        frame = self.frames[low] * (1 - part) + self.frames[low + 1] * part
        caudal = frame[:, :3, 2] / np.linalg.norm(frame[:, :3, 2], axis=-1, keepdims=True)
        posterior = frame[:, :3, 0] - caudal * np.sum(frame[:, :3, 0] * caudal, -1, keepdims=True)
        posterior /= np.linalg.norm(posterior, axis=-1, keepdims=True)
        return frame[:, :3, 3], posterior, caudal, (row - inside) * self.step_mm

    def _row_of(self, points: FloatArray) -> FloatArray:
        """Fractional row whose plane holds each point (M, 3); bisection between whole rows."""
        delta = points[:, None, :] - self.frames[None, :, :3, 3]
        height = np.einsum("mnd,nd->mn", delta, self.frames[:, :3, 2])
        distance = np.linalg.norm(delta, axis=-1)
        crossing = (height[:, :-1] >= 0) & (height[:, 1:] < 0)
        reach = np.where(crossing, distance[:, :-1] + distance[:, 1:], np.inf)
        low = reach.argmin(1).astype(float)
        high = low + 1
        for _ in range(40):
            middle = (low + high) / 2
            origin, _, caudal, _ = self._frame_at(middle)
            above = np.sum((points - origin) * caudal, -1) < 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.where(crossing.any(1), (low + high) / 2, self._nearest_end(height))

    def _nearest_end(self, height: FloatArray) -> FloatArray:
        """Row of the end (0 or N - 1) that a point without a plane of its own lies beyond."""
        return np.where(height[:, 0] < 0, 0.0, float(len(self.frames) - 1))


def straighten(
    volume: CTVolume,
    curve: SpineCurve,
    width_mm: float = 160.0,
    slab_mm: float = 4.0,
) -> StraightenedSagittal:
    """Unroll the sagittal surface through ``curve``: mean of a slab, ``curve.step_mm`` pixels.

    Only what is read is sampled: no planes are built that nobody looks at.
    """
    frames = curve.frames()
    width = round(width_mm / curve.step_mm)
    x_mm = (np.arange(width) - (width - 1) / 2) * curve.step_mm
    surface = frames[:, None, :3, 3] + x_mm[None, :, None] * frames[:, None, :3, 0]
    left = np.broadcast_to(frames[:, None, :3, 1], surface.shape)
    hu = slab_mean(volume, surface, left, slab_mm)
    return StraightenedSagittal(hu, curve.step_mm, frames)


def slab_mean(
    volume: CTVolume, points_mm: FloatArray, left: FloatArray, slab_mm: float
) -> FloatImage:
    """Mean HU of a slab around a surface, in layers about 1 mm apart.

    Args:
        volume: the CT.
        points_mm: (N, W, 3) the surface's middle, LPS mm.
        left: (N, W, 3) unit vectors across the slab.
        slab_mm: its thickness.

    Returns:
        (N, W) float32.
    """
    layers = np.linspace(-slab_mm / 2, slab_mm / 2, max(1, round(slab_mm) + 1))
    total = np.zeros(points_mm.shape[:2], np.float32)
    for layer in layers:
        total += volume.sample(points_mm + layer * left)
    return np.asarray(total / len(layers), np.float32)
