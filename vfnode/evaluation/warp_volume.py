"""A CT volume through warps, voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from vfnode.evaluation.warp import Warp
from vfnode.spine.volume import CTVolume

_SLAB = 16  #: slices that are warped at once, to keep the memory low


def warped(volume: CTVolume, warps: Sequence[Warp]) -> CTVolume:
    """A CT after warps, the first one first: cubic where something moved, untouched elsewhere.

    Interpolated once, however many warps there are. What comes from beyond the volume is air.
    """
    if not warps:
        return volume
    box, margin = _box(volume, warps), 1
    corner = np.array([part.start for part in box])
    padded = np.pad(volume.hu[box], margin, mode="edge")
    smooth = spline_filter(padded, order=3, output=np.float32)
    hu = volume.hu.copy()
    for first in range(0, hu[box].shape[0], _SLAB):
        part = hu[box][first : first + _SLAB]
        grid = np.moveaxis(np.indices(part.shape, float), 0, -1) + corner + [first, 0, 0]
        points = volume.to_patient(grid)
        source = points
        for warp in reversed(warps):
            source = warp.backward(source)
        moved = np.abs(source - points).max(-1) > 1e-3  # noqa: PLR2004 - mm
        at = (volume.to_voxel(source[moved]) - corner + margin).T
        values = map_coordinates(smooth, at, order=3, prefilter=False, mode="nearest")
        part[moved] = np.clip(np.rint(values), -1024, 32767).astype(np.int16)
    return CTVolume(hu, volume.affine)


def _box(volume: CTVolume, warps: Sequence[Warp]) -> tuple[slice, ...]:
    """Part of a volume that any warp can change."""
    voxels = volume.to_voxel(np.concatenate([warp.reach_mm() for warp in warps]))
    last = np.array(volume.hu.shape) - 1
    low = np.clip(np.floor(voxels.min(0)).astype(int), 0, last)
    high = np.clip(np.ceil(voxels.max(0)).astype(int), 0, last) + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
