"""The spine and what lies around it, straightened in 3D: ribs, pelvis, skull name the levels."""

from __future__ import annotations

import numpy as np

from vfnode.spine.curve import SpineCurve, frames_along
from vfnode.spine.resample import FloatImage
from vfnode.spine.volume import CTVolume, FloatArray

VOXEL_MM = 4.0
DEPTH_MM, WIDTH_MM = 128.0, 192.0  #: antero-posterior and left-right extent of the box
MARGIN_MM = 48.0  #: beyond both ends of the curve, straight on
_FINE = 2  #: samples a voxel along each axis; their mean is the voxel


def spine_box(volume: CTVolume, curve: SpineCurve) -> FloatImage:
    """HU in planes square to the curve, cranial to caudal; air beyond the volume.

    Args:
        volume: the CT, any orientation and spacing.
        curve: centre line of the vertebral bodies.

    Returns:
        (N, 32, 48): rows of ``VOXEL_MM`` along the curve, from anterior to posterior and from
        the patient's right to left; see :func:`row_of`.
    """
    step = VOXEL_MM / _FINE
    rows = round((curve.length_mm + 2 * MARGIN_MM) / VOXEL_MM) * _FINE
    arc = np.asarray((np.arange(rows) - (_FINE - 1) / 2) * step - MARGIN_MM, float)
    frames = _frames(curve, arc)
    across = [_centred(round(extent / step), step) for extent in (DEPTH_MM, WIDTH_MM)]
    box = np.empty((rows, len(across[0]), len(across[1])), np.float32)
    for index, frame in enumerate(frames):  # one plane at a time: each reads a small part
        offset = across[0][:, None, None] * frame[:3, 0] + across[1][:, None] * frame[:3, 1]
        box[index] = volume.sample(frame[:3, 3] + offset)
    shape = (rows // _FINE, _FINE, box.shape[1] // _FINE, _FINE, box.shape[2] // _FINE, _FINE)
    return np.asarray(box.reshape(shape).mean((1, 3, 5)))


def row_of(arc_mm: FloatArray) -> FloatArray:
    """Fractional row of the box at arc lengths from the curve's first point."""
    return np.asarray((arc_mm + MARGIN_MM) / VOXEL_MM)


def arc_of(curve: SpineCurve, points_mm: FloatArray) -> FloatArray:
    """Arc length at which points (n, 3) stand on the curve; beyond its ends straight on."""
    tangents = curve.tangents()
    nearest = np.linalg.norm(points_mm[:, None] - curve.points_mm, axis=-1).argmin(1)
    beside = np.sum((points_mm - curve.points_mm[nearest]) * tangents[nearest], -1)
    return np.asarray(nearest * curve.step_mm + beside)


def _frames(curve: SpineCurve, arc_mm: FloatArray) -> FloatArray:
    """Frames (n, 4, 4) at arc lengths, straight on beyond the ends."""
    own = np.arange(len(curve.points_mm)) * curve.step_mm
    tangents = curve.tangents()
    inside = np.clip(arc_mm, own[0], own[-1])

    def at(values: FloatArray) -> FloatArray:
        return np.stack([np.interp(inside, own, values[:, axis]) for axis in range(3)], -1)

    direction = at(tangents)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return frames_along(at(curve.points_mm) + (arc_mm - inside)[:, None] * direction, direction)


def _centred(count: int, step: float) -> FloatArray:
    return np.asarray((np.arange(count) - (count - 1) / 2) * step, float)
