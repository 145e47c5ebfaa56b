"""Artefacts of metal and of patients who move; drawn over the finished CT."""

import numpy as np
from scipy.ndimage import shift

from vfnode.training.synthetic.voxel_canvas import Canvas

_METAL_HU = 2500.0
_RAYS = 4  #: systems of rays about one piece of metal
_FULL_MM2 = 60.0  #: more metal in a slice makes no stronger rays
_FADING_MM = 25.0
_MOVED = 0.15  #: share of CT with a slab that was scanned while the patient moved
_SLAB_MM = (6.0, 30.0)
_SHIFT_MM = (1.0, 5.0)


def add_streaks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Bright and dark rays from metal within its slices, fading with the distance."""
    counts = rng.integers(2, 14, _RAYS)
    phases = rng.uniform(0, 2 * np.pi, _RAYS)
    strength = float(rng.uniform(40, 160))
    drift = rng.normal(0, 0.25, (len(canvas.hu), _RAYS)) * np.sqrt(canvas.spacing_mm[0])
    walk = np.cumsum(drift, axis=0)
    for index, plane in enumerate(canvas.hu):
        rows, columns = np.nonzero(plane > _METAL_HU)
        if len(rows) == 0:
            continue
        y = (np.arange(plane.shape[0]) - rows.mean())[:, None] * canvas.spacing_mm[1]
        x = (np.arange(plane.shape[1]) - columns.mean())[None, :] * canvas.spacing_mm[2]
        angle, distance = np.arctan2(y, x), np.hypot(y, x)
        rays = np.cos(counts * angle[..., None] + phases + walk[index]).sum(-1)
        area_mm2 = len(rows) * float(np.prod(canvas.spacing_mm[1:]))
        strong = strength * min(1.0, area_mm2 / _FULL_MM2)
        canvas.hu[index] += (strong * rays / (1 + distance / _FADING_MM)).astype(np.float32)


def add_motion(canvas: Canvas, rng: np.random.Generator) -> None:
    """In some CT a slab shows the patient at two places at once."""
    if rng.random() > _MOVED:
        return
    thick = max(1, round(rng.uniform(*_SLAB_MM) / canvas.spacing_mm[0]))
    first = int(rng.integers(0, max(1, len(canvas.hu) - thick)))
    angle = rng.uniform(0, 2 * np.pi)
    by_mm = rng.uniform(*_SHIFT_MM) * np.array([np.cos(angle), np.sin(angle)])
    by = by_mm / np.array(canvas.spacing_mm[1:])
    slab = canvas.hu[first : first + thick]
    moved = shift(slab, (0.0, *by), order=1, mode="nearest", prefilter=False)
    slab += np.float32(0.45) * (moved - slab)
