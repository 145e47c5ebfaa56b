"""Visibility of measured points: on images, and not where data were missing."""

from __future__ import annotations

import numpy as np

from vfnode.spine.volume import BoolArray, CTVolume, FloatArray

#: Beyond the endplates: what tells them from the discs must be seen too.
MARGIN_MM = 2.0
#: A box of one value, this far to each side, is filling: anatomy has noise.
CONSTANT_MM = 1.5
#: Metal saturates the scale of scanners and is constant too.
SATURATED_HU = 2000
_ACROSS, _DOWN = 7, 9  #: points looked at, front to back and from plate to plate


def lies_on_images(volume: CTVolume, keypoints_mm: FloatArray) -> BoolArray:
    """True for each body that lies on images wherever it lies within the volume; (n,).

    What sticks out of the volume is another matter: the body is cut.

    Args:
        volume: the CT, with what of it is image.
        keypoints_mm: (n, 3, 2, 3) LPS.
    """
    points = body_points(keypoints_mm)
    missing = ~volume.shows(points) | _is_filling(volume, points)
    return np.asarray(~np.any(missing & volume.contains(points), axis=(1, 2)))


def seen_keypoints(volume: CTVolume, keypoints_mm: FloatArray) -> BoolArray:
    """True for each point (..., 3) that lies on images and not on filling; (...)."""
    return np.asarray(volume.shows(keypoints_mm) & ~_is_filling(volume, keypoints_mm))


def body_points(keypoints_mm: FloatArray) -> FloatArray:
    """Points over each body and a margin beyond both endplates; (n, _ACROSS, _DOWN, 3)."""
    across = np.linspace(0.0, 2.0, _ACROSS)
    low = np.minimum(across.astype(int), 1)
    part = (across - low)[:, None, None]
    ends = keypoints_mm[:, low] * (1 - part) + keypoints_mm[:, low + 1] * part  # (n, a, 2, 3)
    axis = ends[:, :, 1] - ends[:, :, 0]
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
    top, bottom = ends[:, :, 0] - MARGIN_MM * axis, ends[:, :, 1] + MARGIN_MM * axis
    share = np.linspace(0.0, 1.0, _DOWN)[:, None]
    return np.asarray(top[:, :, None] * (1 - share) + bottom[:, :, None] * share)


def _is_filling(volume: CTVolume, points_mm: FloatArray) -> BoolArray:
    """True if the volume has one and the same value all around each point (..., 3)."""
    reach = np.maximum(1, np.ceil(CONSTANT_MM / volume.spacing_mm)).astype(int)
    last = np.array(volume.hu.shape) - 1
    middle = np.rint(volume.to_voxel(points_mm)).astype(int)
    around = np.indices(tuple(2 * reach + 1)).reshape(3, -1).T - reach
    voxels = np.clip(middle[..., None, :] + around, 0, last)
    values = volume.hu[tuple(np.moveaxis(voxels, -1, 0))]
    highest = values.max(-1)
    return np.asarray((values.min(-1) == highest) & (highest < SATURATED_HU))
