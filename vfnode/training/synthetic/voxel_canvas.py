"""A voxel grid to draw on with anti-aliased edges.

Shapes are signed distances in mm (negative inside), evaluated in a local box
only; an edge is as soft as a voxel is wide, so the same scene can be drawn on a
2 mm training grid and on a 0.8 mm demonstration grid.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfnode.spine.volume import CTVolume

FloatArray = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """Part of a canvas: index slices and patient coordinates of its voxel centres."""

    slices: tuple[slice, slice, slice]  #: along (k, r, c)
    x: Image  #: (1, 1, C) patient left, mm
    y: Image  #: (1, R, 1) posterior, mm
    z: Image  #: (K, 1, 1) superior, mm


@dataclass(frozen=True)
class Canvas:
    """HU on a canonical grid: k caudal, r posterior, c towards the patient's left."""

    hu: Image  #: (K, R, C), drawn in place
    first_mm: tuple[float, float, float]  #: x, y, z of voxel (0, 0, 0)
    spacing_mm: tuple[float, float, float]  #: along (k, r, c)

    @classmethod
    def covering(
        cls, low_mm: FloatArray, high_mm: FloatArray, spacing_mm: tuple[float, float, float]
    ) -> "Canvas":
        """Canvas of air (-1000 HU) over the patient box from `low_mm` to `high_mm` (x, y, z)."""
        extent = (np.asarray(high_mm) - np.asarray(low_mm))[::-1]
        shape = tuple(max(1, round(e / s)) for e, s in zip(extent, spacing_mm, strict=True))
        half = 0.5 * np.array(spacing_mm)
        first = (low_mm[0] + half[2], low_mm[1] + half[1], high_mm[2] - half[0])
        return cls(np.full(shape, -1000, np.float32), first, spacing_mm)

    @property
    def edge_mm(self) -> float:
        """Width of a soft edge: the geometric mean of the voxel's sides."""
        return float(np.prod(self.spacing_mm) ** (1 / 3))

    def box(self, low_mm: FloatArray, high_mm: FloatArray) -> Box | None:
        """Voxels between two patient points (x, y, z), or None outside the canvas."""
        x0, y0, z0 = self.first_mm
        sk, sr, sc = self.spacing_mm
        starts = ((z0 - high_mm[2]) / sk, (low_mm[1] - y0) / sr, (low_mm[0] - x0) / sc)
        stops = ((z0 - low_mm[2]) / sk, (high_mm[1] - y0) / sr, (high_mm[0] - x0) / sc)
        low = [max(0, int(np.floor(s))) for s in starts]
        high = [min(n, int(np.ceil(s)) + 1) for s, n in zip(stops, self.hu.shape, strict=True)]
        if any(b <= a for a, b in zip(low, high, strict=True)):
            return None
        k, r, c = (np.arange(a, b) for a, b in zip(low, high, strict=True))
        return Box(
            (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])),
            (x0 + c * sc)[None, None, :].astype(np.float32),
            (y0 + r * sr)[None, :, None].astype(np.float32),
            (z0 - k * sk)[:, None, None].astype(np.float32),
        )

    def paint(self, box: Box, distance_mm: Image, hu: float | Image) -> None:
        """Blend `hu` in where the signed distance is negative."""
        alpha = self.coverage(distance_mm)
        part = self.hu[box.slices]
        part += alpha * (hu - part)

    def paint_shell(
        self, box: Box, distance_mm: Image, shell_mm: float, shell_hu: float, core_hu: float | Image
    ) -> None:
        """Blend in a body with a shell of another density, `shell_mm` thick, at its surface."""
        outer = self.coverage(distance_mm)
        inner = self.coverage(distance_mm + shell_mm)
        part = self.hu[box.slices]
        part += (outer - inner) * shell_hu + inner * core_hu - outer * part

    def coverage(self, distance_mm: Image) -> Image:
        """Share of a voxel that lies inside a plane at this signed distance; 0 to 1."""
        share = 0.5 - distance_mm / np.float32(self.edge_mm)
        return np.clip(share, 0.0, 1.0, out=share)

    def to_volume(self) -> CTVolume:
        """The drawing as a CT volume."""
        (sk, sr, sc), (x0, y0, z0) = self.spacing_mm, self.first_mm
        affine = np.array([[0, 0, sc, x0], [0, sr, 0, y0], [-sk, 0, 0, z0], [0, 0, 0, 1.0]])
        hu = np.clip(np.rint(self.hu), -1024, 3071).astype(np.int16)
        return CTVolume(hu, affine)
