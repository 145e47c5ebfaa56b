"""The sagittal image that people measure on: every vertebral body rigid, discs between them.

Straightening along a smooth curve stretches what lies beside it: in kyphosis anterior heights
come out up to 1.6 mm long. Here each body is shown in its own frame, taken from its six
keypoints, from the line of its upper to the line of its lower endplate; what lies between two
bodies is stretched to fit. Lengths inside a body are those of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.spine.body_frame import body_rotation
from vfnode.spine.curve import SpineCurve
from vfnode.spine.resample import FloatImage
from vfnode.spine.straighten import SagittalImage, slab_mean
from vfnode.spine.volume import CTVolume, FloatArray

DISC_MIN_MM = 1.0  #: shown at least, also between bodies that touch
MARGIN_MM = 0.5  #: a body is rigid to this far beyond its points
END_STEP_MM = 10.0  #: beyond the outermost bodies the image follows the curve in such steps


@dataclass(frozen=True)
class ImageSize:
    """Pixels and slab of the image, mm."""

    width_mm: float = 150.0
    step_mm: float = 0.5
    slab_mm: float = 3.0  #: mean from left to right


@dataclass(frozen=True)
class _Line:
    """One line across the image whose place in the patient is known.

    At x (mm from the middle column) the image shows, ``height(x)`` below the frame's origin,
    the patient's point ``origin + x * posterior + height(x) * caudal``.
    """

    origin: FloatArray  #: (3,) LPS mm
    rotation: FloatArray  #: (3, 3) columns posterior, left, caudal
    start: tuple[float, float] = (0.0, 0.0)  #: (x, height) of the anterior end, mm
    end: tuple[float, float] = (1.0, 0.0)  #: (x, height) of the posterior end; level beyond

    def height(self, x_mm: FloatArray) -> FloatArray:
        """Height below the origin at x, along the frame's axis, mm."""
        xs, heights = zip(self.start, self.end, strict=True)
        return np.interp(x_mm, xs, heights)

    def patient(self, x_mm: FloatArray) -> FloatArray:
        """Patient points (W, 3) along the line, LPS mm."""
        posterior, caudal = self.rotation[:, 0], self.rotation[:, 2]
        along = x_mm[:, None] * posterior + self.height(x_mm)[:, None] * caudal
        return np.asarray(self.origin + along)


def body_aligned_image(
    volume: CTVolume, curve: SpineCurve, keypoints_mm: FloatArray, size: ImageSize | None = None
) -> tuple[SagittalImage, FloatArray]:
    """Sample the image in which a ruler laid on a body measures the patient.

    Args:
        volume: the CT.
        curve: the spine; used beyond the outermost bodies.
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal; n may be 0.
        size: of the image; the usual one when None.

    Returns:
        The image, and where it shows the keypoints: (n, 3, 2, 2) (x, z) mm.
    """
    used = size or ImageSize()
    width = round(used.width_mm / used.step_mm)
    x_mm = np.asarray((np.arange(width) - (width - 1) / 2) * used.step_mm, np.float64)
    above, below = _curve_lines(curve, keypoints_mm)
    bodies = [line for points in keypoints_mm for line in _body_lines(points)]
    lines = (above or [_level(bodies[0], -END_STEP_MM)]) + bodies
    lines += below or [_level(bodies[-1], END_STEP_MM)]
    origins = _image_origins(lines, x_mm)
    hu = _sample(volume, lines, origins, x_mm, used)
    # The lines of body i come after those above, two a body.
    first = len(lines) - len(bodies) - max(1, len(below))
    middle_mm = (width - 1) / 2 * used.step_mm
    drawn = [
        _local(points)[..., [0, 2]] + [middle_mm, origins[first + 2 * i]]
        for i, points in enumerate(keypoints_mm)
    ]
    return SagittalImage(hu, used.step_mm), np.array(drawn).reshape(-1, 3, 2, 2)


def _body_lines(points: FloatArray) -> tuple[_Line, _Line]:
    """Lines along the upper and the lower endplate, just beyond the points of (3, 2, 3)."""
    centre, rotation, local = points.mean((0, 1)), body_rotation(points), _local(points)
    x, heights = local[..., 0], local[..., 2]
    upper = _endplate(x[:, 0], -heights[:, 0])
    lower = _endplate(x[:, 1], heights[:, 1])
    ends = [(float(x[0].mean()), float(x[2].mean()))] * 2
    made = [
        _Line(
            centre,
            rotation,
            (xs[0], sign * float(np.polyval(fit, xs[0]))),
            (xs[1], sign * float(np.polyval(fit, xs[1]))),
        )
        for xs, fit, sign in zip(ends, (upper, lower), (-1, 1), strict=True)
    ]
    return made[0], made[1]


def _local(points: FloatArray) -> FloatArray:
    """Points of one body (3, 2, 3) in its own frame: posterior, left, caudal of its centre."""
    return np.asarray((points - points.mean((0, 1))) @ body_rotation(points))


def _level(line: _Line, beyond_mm: float) -> _Line:
    """A line in the same frame that runs level, this far beyond both ends of ``line``."""
    heights = (line.start[1], line.end[1])
    height = (max(heights) if beyond_mm > 0 else min(heights)) + beyond_mm
    return _Line(line.origin, line.rotation, (0.0, height), (1.0, height))


def _endplate(x: FloatArray, outward: FloatArray) -> FloatArray:
    """Straight line (slope, offset) through the corners, moved out beyond all three points."""
    fit = np.polyfit(x[[0, 2]], outward[[0, 2]], 1)
    fit[1] += max(0.0, float((outward - np.polyval(fit, x)).max())) + MARGIN_MM
    return np.asarray(fit)


def _curve_lines(curve: SpineCurve, keypoints_mm: FloatArray) -> tuple[list[_Line], list[_Line]]:
    """Level lines at even steps of the curve above and below the bodies."""
    frames = curve.frames()
    every = max(1, round(END_STEP_MM / curve.step_mm))
    last = len(frames) - 1
    chosen = frames[sorted({*range(0, last + 1, every), last})]
    lines = [_Line(frame[:3, 3], frame[:3, :3]) for frame in chosen]
    if len(keypoints_mm) == 0:
        return lines[:1], lines[1:]
    first, final = keypoints_mm[0][:, 0].mean(0), keypoints_mm[-1][:, 1].mean(0)
    above = [s for s in lines if (first - s.origin) @ s.rotation[:, 2] > END_STEP_MM]
    below = [s for s in lines if (s.origin - final) @ s.rotation[:, 2] > END_STEP_MM]
    return above, below


def _image_origins(lines: list[_Line], x_mm: FloatArray) -> FloatArray:
    """Place on the image of the origin of each line's frame: (lines,) mm from its upper edge.

    Origins come as far apart as they are in the patient, or further where lines would cross.
    """
    heights = np.array([line.height(x_mm) for line in lines])
    origins = np.full(len(lines), -float(heights[0].min()))
    for i in range(1, len(lines)):
        upper, lower = lines[i - 1], lines[i]
        apart = float(np.linalg.norm(lower.origin - upper.origin))
        if apart > 0:
            apart = max(apart, float((heights[i - 1] - heights[i]).max()) + DISC_MIN_MM)
        origins[i] = origins[i - 1] + apart
    return origins


def _sample(
    volume: CTVolume,
    lines: list[_Line],
    origins: FloatArray,
    x_mm: FloatArray,
    size: ImageSize,
) -> FloatImage:
    """HU of the image: between two lines every column runs straight through the patient."""
    places = origins[:, None] + np.array([line.height(x_mm) for line in lines])
    rows = np.arange(0.0, places[-1].min() + 1e-9, size.step_mm)
    known = np.array([line.patient(x_mm) for line in lines])  # (lines, W, 3)
    left = np.array([line.rotation[:, 1] for line in lines])
    points = np.empty((len(rows), len(x_mm), 3))
    across = np.empty_like(points)
    for column in range(len(x_mm)):
        for axis in range(3):
            knots = places[:, column]
            points[:, column, axis] = np.interp(rows, knots, known[:, column, axis])
            across[:, column, axis] = np.interp(rows, knots, left[:, axis])
    return slab_mean(volume, points, across, size.slab_mm)
