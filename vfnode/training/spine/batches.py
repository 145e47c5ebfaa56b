"""Batches for the spine localiser: crops of cached volumes, bent, degraded, with targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch.nn import functional

from vfnode.spine.resample import window
from vfnode.training.spine.volumes import DRAWN_MM, SpineVolume

#: Input grids (K, R, C) at 4 x 2 x 2 mm, all of about the same number of voxels.
_GRIDS = ((64, 104, 104), (48, 120, 120), (88, 88, 88), (40, 120, 144), (104, 80, 80))
_AIR = -1000.0


@dataclass(frozen=True)
class SpineBatch:
    """Images and targets of one step."""

    image: torch.Tensor  #: (B, 1, K, R, C) windowed to [0, 1]
    target: torch.Tensor  #: (B, K, 2) row, column on the heat-map (4 mm pixels)
    present: torch.Tensor  #: (B, K) 1 where the slice holds spine
    weight: torch.Tensor  #: (B, K) 0 where that is not decided (the ends of the column)


@dataclass(frozen=True)
class SpineBatches:
    """Callable step -> batch; step and seed decide everything."""

    volumes: Callable[[int], SpineVolume]  #: by number, 0 to count - 1
    count: int  #: number of volumes
    window_hu: tuple[float, float]
    seed: int
    batch_size: int = 4

    def __call__(self, step: int) -> SpineBatch:
        """Batch of one step."""
        rng = np.random.default_rng([self.seed, step])
        grid = _GRIDS[rng.integers(len(_GRIDS))]
        crops = [
            sample_crop(self.volumes(int(rng.integers(self.count))), grid, self.window_hu, rng)
            for _ in range(self.batch_size)
        ]
        parts = [torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)]
        return SpineBatch(parts[0][:, None], *parts[1:])


Crop = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sample_crop(
    volume: SpineVolume,
    grid: Sequence[int],
    window_hu: tuple[float, float],
    rng: np.random.Generator,
) -> Crop:
    """One crop: image (K, R, C), target (K, 2), present (K,), weight (K,)."""
    matrix, centre = _placement(volume, grid, rng)
    target, present, weight = _targets(volume, grid, matrix, centre)
    visible = _field_of_view(grid, target, present, rng)
    hu = _degrade(_cut(volume, grid, matrix, centre), rng)
    image = window(hu, *window_hu) * visible
    return image, target, present * _seen(visible, target), weight


def _placement(
    volume: SpineVolume, grid: Sequence[int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) from crop to volume voxels of 2 mm, and the volume voxel of the crop's centre.

    Crop coordinates are counted in 2 mm steps along k, r, c from the crop's centre.
    """
    # About the left-right axis most: L5 alone may lean by 40 degrees and more.
    angles = np.radians(rng.normal(0, [6, 5, 13]).clip(-35, 35))
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    scale = rng.uniform(0.82, 1.15) * rng.normal(1, 0.05, 3).clip(0.88, 1.12)
    scale[2] *= rng.choice([-1, 1])  # mirror left and right
    if rng.random() < 0.1:
        return matrix @ np.diag(scale), rng.uniform(0, volume.hu.shape)
    curve = volume.curve_voxels()
    half = np.array([grid[0], grid[1] / 2, grid[2] / 2])
    margin = 0.55 * min(half[0], volume.hu.shape[0] / 2)
    k = rng.uniform(margin, volume.hu.shape[0] - margin)
    point = curve[np.argmin(np.abs(curve[:, 0] - k))]
    reach = half[1:] * rng.choice([0.25, 0.55, 0.95], p=[0.4, 0.4, 0.2])
    aside = rng.uniform(-reach, reach)
    return matrix @ np.diag(scale), np.array([k, point[1] + aside[0], point[2] + aside[1]])


def _cut(
    volume: SpineVolume, grid: Sequence[int], matrix: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    """HU (K, R, C) of the crop at 4 x 2 x 2 mm."""
    step = np.array([2.0, 1.0, 1.0])
    start = -(np.array(grid) - 1) / 2 * step
    corners = np.array(np.meshgrid(*[(s, -s) for s in start])).reshape(3, -1)
    reached = (matrix @ corners).T + centre
    low = np.clip(np.floor(reached.min(0)).astype(int) - 1, 0, np.array(volume.hu.shape) - 2)
    high = np.clip(np.ceil(reached.max(0)).astype(int) + 2, low + 2, volume.hu.shape)
    part = volume.hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    source = torch.from_numpy(part.astype(np.float32) - _AIR)[None, None]
    # grid_sample counts from -1 to 1 over the voxel centres, last axis first.
    scale = 2.0 / (np.array(part.shape) - 1)
    turn = matrix * (-start)[None, :] * scale[:, None]
    to_source = np.concatenate([turn, ((centre - low) * scale - 1)[:, None]], axis=1)
    theta = torch.from_numpy(to_source[::-1, [2, 1, 0, 3]].copy()).float()[None]
    points = functional.affine_grid(theta, [1, 1, *grid], align_corners=True)
    cut = functional.grid_sample(source, points, align_corners=True)[0, 0]
    return np.asarray(cut.numpy() + np.float32(_AIR))


def _field_of_view(
    grid: Sequence[int], target: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Mask of what the reconstruction shows, float32: all, a circle, or a narrow box.

    The box is that of spine examinations: 60 to 190 mm wide around the column.
    """
    visible = np.ones(grid, np.float32)
    k, r, c = np.ogrid[: grid[0], : grid[1], : grid[2]]
    middle = np.array(grid) / 2
    if present.any():
        slice_index = int(rng.choice(np.flatnonzero(present)))
        middle = np.array([slice_index, *(2 * target[slice_index])])
    kind = rng.choice(["all", "circle", "box"], p=[0.42, 0.13, 0.45])
    if kind == "circle":
        radius = rng.uniform(35, 90)
        middle = middle + rng.uniform(-0.6, 0.6, 3) * radius
        visible *= (r - middle[1]) ** 2 + (c - middle[2]) ** 2 < radius**2
    if kind == "box":
        size = rng.uniform([14, 28, 28], [60, 95, 95])
        middle = middle + rng.uniform(-0.42, 0.42, 3) * size
        for axis, index in enumerate((k, r, c)):
            visible *= np.abs(index - middle[axis]) < size[axis] / 2
    return visible


def _degrade(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise, bias and calibration errors of real scanners."""
    for axis, widest in enumerate((1.0, 0.8, 0.8)):
        sigma = widest * rng.random() ** 2
        if sigma > 0.15:
            hu = gaussian_filter1d(hu, sigma, axis=axis)
    noise = rng.standard_normal(hu.shape, np.float32)
    if rng.random() < 0.5:
        noise = gaussian_filter1d(gaussian_filter1d(noise, 0.6, axis=1), 0.6, axis=2) * 2.2
    hu = hu * rng.normal(1, 0.05) + rng.normal(0, 12) + noise * np.float32(40 * rng.random() ** 2)
    if rng.random() < 0.3:
        slopes = rng.normal(0, 40, 3)
        ramps = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in hu.shape)]
        hu = hu + sum(s * ramp for s, ramp in zip(slopes, ramps, strict=True))
    if rng.random() < 0.1:  # streaks of metal or shoulders: whole slices get noisier
        rows = rng.standard_normal((hu.shape[0], hu.shape[1], 1)) * rng.uniform(5, 50)
        hu = hu + gaussian_filter1d(rows, 1.0, axis=0)
    degraded: np.ndarray = hu.astype(np.float32)
    return degraded


def _targets(
    volume: SpineVolume, grid: Sequence[int], matrix: np.ndarray, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crossing of the curve with each slice, on the heat-map's 4 mm pixels."""
    own = np.linalg.solve(matrix, (volume.curve_voxels() - centre).T).T
    order = np.argsort(own[:, 0])
    own = own[order]
    slices = (np.arange(grid[0]) - (grid[0] - 1) / 2) * 2  # in 2 mm steps
    row = np.interp(slices, own[:, 0], own[:, 1]) + (grid[1] - 1) / 2
    column = np.interp(slices, own[:, 0], own[:, 2]) + (grid[2] - 1) / 2
    present = (slices >= own[0, 0]) & (slices <= own[-1, 0])
    # Slices beyond the drawn volume show air.
    drawn = np.stack([slices, row - (grid[1] - 1) / 2, column - (grid[2] - 1) / 2], 1) @ matrix.T
    drawn = drawn + centre
    present &= np.all((drawn > 0) & (drawn < np.array(volume.hu.shape) - 1), axis=1)
    near_end = np.minimum(np.abs(slices - own[0, 0]), np.abs(slices - own[-1, 0]))
    weight = near_end > 4.0 / DRAWN_MM
    target = np.stack([row, column], 1).astype(np.float32) / 2
    return target, present.astype(np.float32), weight.astype(np.float32)


def _seen(visible: np.ndarray, target: np.ndarray) -> np.ndarray:
    """1 where the target's voxel is inside the field of view; (K,) float32."""
    k, rows, columns = visible.shape
    r, c = np.rint(target * 2).astype(int).T
    within = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
    shown = visible[np.arange(k), np.clip(r, 0, rows - 1), np.clip(c, 0, columns - 1)]
    seen: np.ndarray = (within * shown).astype(np.float32)
    return seen
