"""Batches for the level labeller: parts of cached boxes, resized, narrowed, degraded."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import affine_transform, gaussian_filter1d

from vfnode.networks.level_labeller import CLASSES
from vfnode.spine.resample import window
from vfnode.training.levels.boxes import LevelBox

WINDOW_HU = (0.0, 700.0)  #: bone: lungs, fat and organs are drawn too simply to learn names from
ROWS = 96  #: of a training crop
_AIR = -1000.0
_EDGE = 12  #: rows of air beyond what is seen, as `spine_box` adds them
_MAP_SHARE = 0.5  #: of crops from label maps, where there are any
#: How many levels up and down a body looks alike: nothing but counting tells T6 from T7. Asked
#: for more, the network learns the size of drawn patients, and real ones are shifted.
_ALIKE = {**{f"C{n}": 0.4 for n in (4, 5, 6)}, **{f"T{n}": 1.0 for n in range(4, 10)}}
_ALIKE |= {"T3": 0.6, "T10": 0.6, "L2": 0.4, "L3": 0.4}


@dataclass(frozen=True)
class LevelBatch:
    """Tensors of one step."""

    image: torch.Tensor  #: (B, 1, ROWS, 32, 48) windowed to [0, 1]
    target: torch.Tensor  #: (B, classes, ROWS) shares of the two nearest levels
    weight: torch.Tensor  #: (B, ROWS) 0 where nothing is asked


@dataclass(frozen=True)
class LevelBatches:
    """Callable step -> batch; step and seed decide everything."""

    boxes: Callable[[int], LevelBox]  #: by number, 0 to count - 1
    count: int
    seed: int
    batch_size: int = 16
    maps: tuple[LevelBox, ...] = ()  #: of real skeletons

    def __call__(self, step: int) -> LevelBatch:
        """Batch of one step."""
        rng = np.random.default_rng([self.seed, 9, step])
        crops = [random_part(self._box(rng), rng) for _ in range(self.batch_size)]
        image, target, weight = (
            torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)
        )
        return LevelBatch(image[:, None], target, weight)

    def _box(self, rng: np.random.Generator) -> LevelBox:
        if self.maps and rng.random() < _MAP_SHARE:
            return self.maps[int(rng.integers(len(self.maps)))]
        return self.boxes(int(rng.integers(self.count)))


def random_part(
    box: LevelBox, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (ROWS, 32, 48), target (classes, ROWS) and weight (ROWS,) of one crop."""
    hu, position, seen = _resized(_shortened(box, rng), rng)
    hu = _degraded(_narrowed(hu, rng), rng)
    if rng.random() < 0.5:
        hu = hu[:, :, ::-1]
    return window(hu, *WINDOW_HU), _shares(position), seen.astype(np.float32)


_Part = tuple[np.ndarray, np.ndarray, np.ndarray]  #: hu, position, seen


def _shortened(box: LevelBox, rng: np.random.Generator) -> _Part:
    """Box of a shorter scan: rows beyond the cut become air."""
    rows = np.flatnonzero(box.seen)
    first, last = int(rows[0]), int(rows[-1]) + 1
    if rng.random() < 0.6:
        length = int(rng.integers(min(18, last - first), last - first + 1))
        first = int(rng.integers(first, last - length + 1))
        last = first + length
    kept = slice(max(0, first - _EDGE), min(len(box.hu), last + _EDGE))
    hu = box.hu[kept].astype(np.float32)
    seen = np.zeros(len(hu), bool)
    seen[first - kept.start : last - kept.start] = True
    # Where the scan itself ended, slices run at an angle to the planes: leave its own edge.
    if first > rows[0]:
        hu[: first - kept.start] = _AIR
    if last <= rows[-1]:
        hu[last - kept.start :] = _AIR
    return hu, box.position[kept], seen


def _resized(part: _Part, rng: np.random.Generator) -> _Part:
    """ROWS rows of a smaller or larger, turned patient; the crop lies at a random height."""
    hu, position, seen = part
    scale = rng.uniform(0.7, 1.4) * rng.normal(1, 0.08, 3).clip(0.8, 1.25)
    turn = np.radians(rng.normal(0, 6))
    matrix = np.diag(scale)
    matrix[1:, 1:] = scale[1] * np.array(
        [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    )
    shape = np.array([ROWS, *hu.shape[1:]])
    slack = len(hu) / scale[0] - ROWS
    start = rng.uniform(min(0.0, slack), max(0.0, slack)) * scale[0]
    centre = (np.array(hu.shape) - 1) / 2 + [0, *rng.normal(0, 1.0, 2)]
    offset = centre - matrix @ ((shape - 1) / 2)
    offset[0] = start
    out = affine_transform(hu, matrix, offset, tuple(shape), order=1, cval=_AIR, prefilter=False)
    rows = start + scale[0] * np.arange(ROWS)
    inside = (rows >= 0) & (rows <= len(hu) - 1)
    nearest = np.clip(np.rint(rows), 0, len(hu) - 1).astype(int)
    return out, np.interp(rows, np.arange(len(hu)), position), seen[nearest] & inside


def _narrowed(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Air beyond a narrow field of view, as reconstructions of the spine have."""
    if rng.random() > 0.25:
        return hu
    half = rng.uniform(8, 24, 2)
    middle = (np.array(hu.shape[1:]) - 1) / 2 + rng.normal(0, 2, 2)
    depth, width = np.ogrid[: hu.shape[1], : hu.shape[2]]
    outside = np.hypot((depth - middle[0]) / half[0], (width - middle[1]) / half[1]) > 1
    return np.asarray(np.where(outside, np.float32(_AIR), hu))


def _degraded(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur along the spine and across, noise, errors of calibration."""
    for axis, widest in enumerate((1.0, 0.6, 0.6)):
        sigma = widest * rng.random() ** 2
        if sigma > 0.2:
            hu = gaussian_filter1d(hu, sigma, axis=axis)
    noise = np.float32(40 * rng.random() ** 2) * rng.standard_normal(hu.shape, np.float32)
    hu = hu * np.float32(rng.normal(1, 0.07)) + np.float32(rng.normal(0, 15)) + noise
    if rng.random() < 0.15:  # streaks of shoulders, hips or metal: whole planes get noisier
        rows = rng.standard_normal((hu.shape[0], hu.shape[1], 1)) * rng.uniform(5, 60)
        hu = hu + rows
    return np.asarray(hu, np.float32)


def _shares(position: np.ndarray) -> np.ndarray:
    """(classes, ROWS): each row's share of the levels that it lies between or looks like."""
    classes = np.arange(len(CLASSES))[:, None]
    shares: np.ndarray = np.clip(1 - np.abs(classes - position), 0, 1)
    return np.asarray(_alike() @ shares, np.float32)


@functools.cache
def _alike() -> np.ndarray:
    """(classes, classes): column j says how much a body of level j looks like each level."""
    index = np.arange(len(CLASSES))
    spread = np.array([max(_ALIKE.get(name, 0.0), 1e-3) for name in CLASSES])
    likeness = np.exp(-((index[:, None] - index) ** 2) / (2 * spread**2))
    return np.asarray(likeness / likeness.sum(0))
