"""Batches for the vertebra detector: crops of cached images, deformed, degraded, with targets."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import affine_transform

from vfnode.inference.detect_vertebrae import OFFSET_MM
from vfnode.inference.model_input import normalise
from vfnode.networks.vertebra_detector import STRIDE
from vfnode.training.synthetic.plane.apparent import apparent_keypoints
from vfnode.training.synthetic.plane.degrade import AIR_HU, cut_field_of_view, degrade
from vfnode.training.vertebrae.drawn_images import DrawnImages

RADIUS_MM = 5.0  #: a pixel this near to a body's centre is positive
BEYOND_HU = -9000.0  #: marks what lies outside the drawn image
IGNORED_BODIES = (0,)  #: C2: it is neither measured nor a mistake to find


@dataclass(frozen=True)
class DetectorBatch:
    """Tensors of one step; H, W = crop / STRIDE."""

    image: torch.Tensor  #: (B, 1, 2H, 2W)
    positive: torch.Tensor  #: (B, H, W) float: 1 near a centre
    counted: torch.Tensor  #: (B, H, W) float: 0 where nothing is asked
    offsets: torch.Tensor  #: (B, 12, H, W) in units of OFFSET_MM
    body: torch.Tensor  #: (B, H, W) float: share of the cell inside a body
    ratio: torch.Tensor  #: (B, H, W) height ratio of the body at positive cells, else 1
    asked: torch.Tensor  #: (B, H, W) float: 0 where nobody has read the image


@dataclass(frozen=True)
class Crop:
    """One degraded image and what is in it."""

    hu: np.ndarray  #: (rows, columns) float32, 1 mm
    labels: np.ndarray  #: (rows, columns) uint8
    keypoints_px: np.ndarray  #: (n, 3, 2, 2)
    seen: np.ndarray  #: (rows, columns) bool: inside the field of view
    ignored: tuple[int, ...] = IGNORED_BODIES  #: neither asked for nor forbidden
    unread: np.ndarray | None = None  #: (rows, columns) bool: nobody knows what is there


@dataclass(frozen=True)
class Placement:
    """Place of a crop in its source: pixel (row, column) of the crop -> of the source."""

    matrix: np.ndarray  #: (2, 2)
    offset: np.ndarray  #: (2,)
    shape: tuple[int, int]

    def cut(self, image: np.ndarray, order: int, beyond: float) -> np.ndarray:
        """The crop of an image, `beyond` outside it."""
        return np.asarray(
            affine_transform(image, self.matrix, self.offset, self.shape, order=order, cval=beyond)
        )

    def points(self, points_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) as (x, z) of the source -> of the crop."""
        own = (points_px[..., ::-1] - self.offset) @ np.linalg.inv(self.matrix).T
        return np.asarray(own[..., ::-1])


def random_placement(
    rng: np.random.Generator, source: tuple[int, ...], shape: tuple[int, int]
) -> Placement:
    """A random part of an image of `source` rows and columns, scaled, turned, sheared."""
    turn, shear = rng.normal(0, 0.05, 2)
    scale = np.exp(rng.normal(0, 0.07)) * np.exp(rng.normal(0, 0.03, 2))
    matrix = np.array([[scale[0], turn], [-turn + shear, scale[1]]])
    low, high = sorted((shape[0] * 0.35, source[0] - shape[0] * 0.35))
    target = np.array([rng.uniform(low, high), source[1] / 2 + rng.uniform(-14, 14)])
    return Placement(matrix, target - matrix @ ((np.array(shape) - 1) / 2), shape)


def random_crop(
    rng: np.random.Generator, cache: DrawnImages, shape: tuple[int, int], index: int | None = None
) -> Crop:
    """A random part of a cached image, scaled, turned, sheared and degraded."""
    index = int(rng.integers(len(cache.hu))) if index is None else index
    placed = random_placement(rng, cache.hu.shape[1:], shape)
    hu = placed.cut(cache.hu[index].astype(np.float32), 1, BEYOND_HU)
    drawn = hu > BEYOND_HU / 2
    labels = placed.cut(cache.labels[index], 0, 0)
    keypoints = placed.points(cache.keypoints_px[index])
    worn = degrade(rng, np.maximum(hu, AIR_HU), 1.0)
    cut, seen = cut_field_of_view(rng, worn.hu, 1.0)
    keypoints = np.stack(
        [apparent_keypoints(worn.clean, keypoints, body, 1.0) for body in range(len(keypoints))]
    )
    return Crop(np.where(drawn, cut, AIR_HU), labels, keypoints, seen & drawn)


def detector_batch(crops: list[Crop]) -> DetectorBatch:
    """Images and targets of several crops of one shape."""
    targets = [_targets(crop) for crop in crops]
    image = torch.from_numpy(np.stack([normalise(crop.hu) for crop in crops])[:, None])
    return DetectorBatch(
        image.contiguous(memory_format=torch.channels_last),
        *(torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True)),
    )


def _targets(crop: Crop) -> tuple[np.ndarray, ...]:
    """positive, counted, offsets, body, ratio, asked of one crop; see `DetectorBatch`."""
    rows, columns = crop.hu.shape[0] // STRIDE, crop.hu.shape[1] // STRIDE
    middle = (STRIDE - 1) / 2
    across = np.arange(columns, dtype=np.float32) * STRIDE + np.float32(middle)
    down = np.arange(rows, dtype=np.float32) * STRIDE + np.float32(middle)
    grid = np.stack(np.meshgrid(across, down), -1)
    centres = crop.keypoints_px.mean((1, 2)).astype(np.float32)
    distance = np.hypot(across[:, None] - centres[:, 0], (down[:, None] - centres[:, 1])[:, None])
    nearest, closest = distance.argmin(-1), distance.min(-1)
    near = closest < RADIUS_MM
    unseen = np.array([not _is_seen(crop, centre) for centre in centres])
    unseen[list(crop.ignored)] = True
    positive = near & ~unseen[nearest]
    asked = _asked(crop)
    counted = ~(unseen[nearest] & (closest < 2.5 * RADIUS_MM)) & asked
    heights = np.linalg.norm(crop.keypoints_px[:, :, 1] - crop.keypoints_px[:, :, 0], axis=-1)
    ratio = np.where(positive, (heights.min(1) / heights.max(1))[nearest], 1.0)
    offsets = (crop.keypoints_px[nearest] - grid[:, :, None, None]) / OFFSET_MM
    cells = (crop.labels > 0).reshape(rows, STRIDE, columns, STRIDE).mean((1, 3))
    return (
        positive.astype(np.float32),
        counted.astype(np.float32),
        np.moveaxis(offsets.reshape(rows, columns, 12), -1, 0).astype(np.float32),
        cells.astype(np.float32),
        ratio.astype(np.float32),
        asked.astype(np.float32),
    )


def _asked(crop: Crop) -> np.ndarray:
    """(H, W) bool: cells whose truth is known."""
    rows, columns = (size // STRIDE for size in crop.hu.shape)
    if crop.unread is None:
        return np.ones((rows, columns), bool)
    return np.asarray(~crop.unread.reshape(rows, STRIDE, columns, STRIDE).any((1, 3)))


def _is_seen(crop: Crop, centre_px: np.ndarray) -> bool:
    column, row = np.round(centre_px).astype(int)
    inside = 0 <= row < crop.hu.shape[0] and 0 <= column < crop.hu.shape[1]
    return bool(inside and crop.seen[row, column])
