"""Resampling and windowing: the one place for training and inference, so they cannot drift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vfnode.spine.volume import CTVolume, FloatArray

FloatImage = npt.NDArray[np.float32]


def window(hu: npt.NDArray[np.generic], low_hu: float, high_hu: float) -> FloatImage:
    """HU -> [0, 1], linear between the two limits and clipped beyond; any shape."""
    scaled = (np.asarray(hu, np.float32) - low_hu) / (high_hu - low_hu)
    clipped: FloatImage = np.clip(scaled, 0.0, 1.0)
    return clipped


def resample(
    hu: npt.NDArray[np.generic],
    spacing_mm: Sequence[float] | FloatArray,
    target_mm: Sequence[float],
) -> FloatImage:
    """Resample with a triangle kernel as wide as the coarser of the two grids.

    Anti-aliased where the target is coarser, linear interpolation where it is finer. The
    outer faces of the first voxels coincide; beyond the edge the kernel is renormalised.

    Args:
        hu: (K, R, C).
        spacing_mm: of ``hu``, along (k, r, c).
        target_mm: of the result, along (k, r, c).

    Returns:
        (K', R', C') float32 with K' = max(1, round(K * spacing / target)), and so on.
    """
    weights = [
        _triangle_weights(n, source, target)
        for n, source, target in zip(hu.shape, spacing_mm, target_mm, strict=True)
    ]
    # Slices first, one output slice at a time: the full volume is never copied to float.
    out = np.empty(tuple(w.shape[0] for w in weights), np.float32)
    for index, row in enumerate(weights[0]):
        used = np.flatnonzero(row)
        part = hu[used[0] : used[-1] + 1].astype(np.float32)
        plane = np.tensordot(row[used[0] : used[-1] + 1], part, axes=1)
        out[index] = weights[1] @ plane @ weights[2].T
    return out


def resampled_affine(volume: CTVolume, target_mm: Sequence[float]) -> FloatArray:
    """Affine (4, 4) of ``resample(volume.hu, volume.spacing_mm, target_mm)``: voxel -> LPS mm."""
    ratio = np.asarray(target_mm, float) / volume.spacing_mm
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * ratio
    affine[:3, 3] = volume.to_patient((ratio - 1.0) / 2.0)
    return affine


def _triangle_weights(n: int, source_mm: float, target_mm: float) -> FloatImage:
    """Rows of weights (n_out, n) that sum to one."""
    n_out = max(1, round(n * source_mm / target_mm))
    ratio = target_mm / source_mm
    centres = (np.arange(n_out) + 0.5) * ratio - 0.5
    distance = np.abs(np.arange(n)[None, :] - np.clip(centres, 0, n - 1)[:, None])
    weights = np.clip(1.0 - distance / max(ratio, 1.0), 0.0, None)
    normalised: FloatImage = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return normalised
