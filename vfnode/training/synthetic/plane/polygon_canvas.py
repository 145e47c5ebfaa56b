"""Drawing polygons with exact area coverage, so that edges lie where labels say.

Common drawing libraries make polygons a pixel fat, which puts a drawn endplate
0.3 mm outside its label. Here a pixel gets the share of its area that the polygon
covers; pixel (i, j) is the unit square centred on its index.
"""

from collections.abc import Callable

import numba
import numpy as np

Projection = Callable[[np.ndarray], np.ndarray]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _accumulate(xs: np.ndarray, ys: np.ndarray, out: np.ndarray) -> None:
    """Signed area of a closed polygon's edges; a running row sum gives the coverage."""
    for index in range(len(xs)):
        following = (index + 1) % len(xs)
        _accumulate_edge(xs[index], ys[index], xs[following], ys[following], out)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _accumulate_edge(x0: float, y0: float, x1: float, y1: float, out: np.ndarray) -> None:
    if y0 == y1:
        return
    sign = 1.0
    if y0 > y1:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
    slope = (x1 - x0) / (y1 - y0)
    for row in range(max(int(np.floor(y0)), 0), min(int(np.ceil(y1)), out.shape[0])):
        top, bottom = max(y0, float(row)), min(y1, row + 1.0)
        first, last = x0 + (top - y0) * slope, x0 + (bottom - y0) * slope
        _accumulate_row(out[row], min(first, last), max(first, last), (bottom - top) * sign)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _accumulate_row(out: np.ndarray, left: float, right: float, height: float) -> None:
    """An edge's part in one row, cut at every pixel border that it crosses."""
    column = int(np.floor(left))
    while column < len(out):
        begin, end = max(left, float(column)), min(right, column + 1.0)
        part = height if right == left else height * (end - begin) / (right - left)
        inside = column + 1.0 - (begin + end) / 2
        if column < 0:
            out[0] += part
        else:
            out[column] += part * inside
            if column + 1 < len(out):
                out[column + 1] += part * (1 - inside)
        column += 1
        if column >= right:
            return


def coverage(polygon_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Share of each pixel's area inside a polygon.

    Args:
        polygon_px: (n, 2) vertices (x, z) in pixels, pixel centres at whole indices.
        shape: rows, columns.

    Returns:
        float32 in [0, 1].
    """
    area = np.zeros(shape)
    _accumulate(polygon_px[:, 0] + 0.5, polygon_px[:, 1] + 0.5, area)
    return np.clip(np.abs(np.cumsum(area, axis=1)), 0, 1).astype(np.float32)


class Canvas:
    """An image in HU that polygons in mm are painted on."""

    def __init__(
        self,
        shape: tuple[int, int],
        step_mm: float,
        origin_mm: np.ndarray,
        natural: Projection,
        unrolled: Projection,
    ) -> None:
        """Empty canvas of water.

        Args:
            shape: rows, columns.
            step_mm: size of a pixel.
            origin_mm: (2,) x, z of the centre of pixel (0, 0), in the canvas's frame.
            natural: maps the column's frame to the canvas's frame.
            unrolled: maps (offset from the spine's curve, arc length) to the canvas's frame.
        """
        self.hu = np.zeros(shape, np.float32)
        self.labels = np.zeros(shape, np.uint8)
        self.step_mm = step_mm
        self.origin_mm = origin_mm
        self.natural = natural
        self.unrolled = unrolled

    def mask(self, points_mm: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Coverage of a polygon in the canvas frame, on its bounding box; None: off the canvas."""
        pixels = (points_mm - self.origin_mm) / self.step_mm
        low = np.maximum(np.floor(pixels.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(pixels.max(0)).astype(int) + 2, self.hu.shape[::-1])
        if np.any(high <= low):
            return None
        box = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
        return box, coverage(pixels - low, (int(high[1] - low[1]), int(high[0] - low[0])))

    def fill(
        self,
        points_mm: np.ndarray,
        hu: float | np.ndarray,
        opacity: float = 1.0,
        label: int | None = None,
    ) -> None:
        """Paint a polygon given in the canvas frame; `hu` is a number or a whole image."""
        found = self.mask(points_mm)
        if found is None:
            return
        box, cover = found
        value = hu[box] if isinstance(hu, np.ndarray) else hu
        self.hu[box] += (value - self.hu[box]) * (cover * opacity)
        if label is not None:
            self.labels[box][cover >= 0.5] = label
