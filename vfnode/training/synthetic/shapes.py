"""Solid shapes drawn on a canvas: ellipsoids, chains of capsules, bent plates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfnode.training.synthetic.voxel_canvas import Box, Canvas, FloatArray, Image


@dataclass(frozen=True)
class Matter:
    """Matter of a solid: a shell of one density around a core of another."""

    core_hu: float
    shell_hu: float = 0.0
    shell_mm: float = 0.0

    def fill(self, canvas: Canvas, box: Box, distance_mm: Image) -> None:
        """Paint it where the signed distance is negative."""
        if self.shell_mm > 0:
            canvas.paint_shell(box, distance_mm, self.shell_mm, self.shell_hu, self.core_hu)
        else:
            canvas.paint(box, distance_mm, self.core_hu)


def paint_ellipsoid(
    canvas: Canvas,
    centre_mm: FloatArray,
    radii_mm: npt.ArrayLike,
    matter: Matter,
    turn: FloatArray | None = None,
) -> None:
    """Ellipsoid; rows of `turn` (3, 3) are the directions of its three radii."""
    axes = np.eye(3) if turn is None else np.asarray(turn)
    radii = np.asarray(radii_mm, float)
    reach = np.sqrt(((axes * radii[:, None]) ** 2).sum(0)) + canvas.edge_mm
    centre = np.asarray(centre_mm, float)
    box = canvas.box(centre - reach, centre + reach)
    if box is None:
        return
    offsets = [g - np.float32(c) for g, c in zip((box.x, box.y, box.z), centre, strict=True)]
    rho = np.zeros((1, 1, 1), np.float32)
    for axis, radius in zip(axes.astype(np.float32), radii, strict=True):
        along = sum(a * o for a, o in zip(axis, offsets, strict=True) if a != 0)
        rho = rho + (along / np.float32(radius)) ** 2
    rho = np.sqrt(rho)
    matter.fill(canvas, box, (rho - 1) * np.float32(radii.min()))


def paint_chain(
    canvas: Canvas,
    points_mm: FloatArray,
    radii_mm: FloatArray | float,
    matter: Matter,
    stretch: Sequence[float] = (1.0, 1.0, 1.0),
) -> None:
    """Tube along a polyline (N, 3), round in space shrunk by `stretch` along x, y, z.

    Shells are laid for the whole chain before cores, so that joints stay open.
    """
    points = np.asarray(points_mm, float)
    radii = np.broadcast_to(np.asarray(radii_mm, float), len(points))
    layers = [(0.0, matter.core_hu)]
    if matter.shell_mm > 0:
        layers = [(0.0, matter.shell_hu), (matter.shell_mm, matter.core_hu)]
    for inset, hu in layers:
        for i in range(len(points) - 1):
            box = _capsule_box(canvas, points[i : i + 2], radii[i : i + 2], stretch)
            if box is not None:
                distance = _capsule(box, points[i : i + 2], radii[i : i + 2], stretch)
                canvas.paint(box, distance + np.float32(inset), hu)


def _capsule_box(
    canvas: Canvas, ends: FloatArray, radii: FloatArray, stretch: Sequence[float]
) -> Box | None:
    reach = radii.max() * np.asarray(stretch) + canvas.edge_mm
    return canvas.box(ends.min(0) - reach, ends.max(0) + reach)


def _capsule(box: Box, ends: FloatArray, radii: FloatArray, stretch: Sequence[float]) -> Image:
    """Signed distance to a capsule whose radius runs linearly between its ends."""
    scale = 1.0 / np.asarray(stretch, float)
    first, axis = ends[0] * scale, (ends[1] - ends[0]) * scale
    length2 = max(float(axis @ axis), 1e-9)
    offset = [
        g * np.float32(s) - np.float32(f)
        for g, s, f in zip((box.x, box.y, box.z), scale, first, strict=True)
    ]
    t = sum(o * np.float32(a / length2) for o, a in zip(offset, axis, strict=True))
    t = np.clip(t, 0.0, 1.0)
    square = sum((o - t * np.float32(a)) ** 2 for o, a in zip(offset, axis, strict=True))
    radius = np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])
    return np.asarray(np.sqrt(square) - radius, np.float32)


def mirrored(points_mm: FloatArray, middle_mm: float = 0.0) -> FloatArray:
    """Points (..., 3) reflected at the sagittal plane x = `middle_mm`."""
    reflected: FloatArray = np.asarray(points_mm, float) * [-1, 1, 1] + [2 * middle_mm, 0, 0]
    return reflected


def turned(axis: int, degrees: float) -> FloatArray:
    """Rotation matrix (3, 3) about patient axis 0 (x), 1 (y) or 2 (z)."""
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = -sin, sin
    return matrix
