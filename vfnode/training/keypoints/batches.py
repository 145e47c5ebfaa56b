"""Batches for the second look: crops of single bodies, cut as wrongly as a detector would."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from vfnode.inference.model_input import normalise
from vfnode.inference.refine_keypoints import CropFrames, crop_frames
from vfnode.networks.keypoint_refiner import CROP_PX, FACING, KEYPOINTS
from vfnode.training.keypoints.drawn_columns import STEP_MM, DrawnColumn, DrawnColumns
from vfnode.training.synthetic.plane.apparent import apparent_keypoints
from vfnode.training.synthetic.plane.degrade import AIR_HU, cut_field_of_view, degrade

OFF_TARGET = 0.08  #: share of crops on a disc or beside the column
UNKNOWN_PX = -1.0  #: a coordinate beyond the crop: teaches nothing
_FAR = 0.15  #: share of crops that are cut badly
_SHIFTED = 0.12  #: share of crops shifted along the axis
CROP_GRID = np.stack(np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX)), -1).astype(float)


@dataclass(frozen=True)
class RefinerBatch:
    """Tensors of one step."""

    image: torch.Tensor  #: (B, 1, 128, 128)
    points_px: torch.Tensor  #: (B, 12, 2) (x, z) in crop pixels; own, facing; beyond: unknown
    segmentation: torch.Tensor  #: (B, 2, 128, 128) float: this body, any body
    is_body: torch.Tensor  #: (B,) float: 0 for crops off the target
    pixel_mm: torch.Tensor  #: (B,)
    segmented: torch.Tensor  #: (B, 2, 1, 1) float: 0 where a segmentation is not known


@dataclass(frozen=True)
class BodyCrop:
    """One crop and its truth."""

    hu: np.ndarray  #: (128, 128) float32
    points_px: np.ndarray  #: (3, 2, 2)
    facing_px: np.ndarray  #: (2, 3, 2) inferior points above, superior points below; NaN: unknown
    segmentation: np.ndarray  #: (2, 128, 128) float32
    is_body: bool
    pixel_mm: float
    segmented: tuple[bool, bool] = (True, True)  #: which segmentations are known


def random_body_crop(
    rng: np.random.Generator, cache: DrawnColumns, index: int | None = None
) -> BodyCrop:
    """A random body of a random column, degraded, in a disturbed frame."""
    column = cache.read(int(rng.integers(cache.count)) if index is None else index)
    body = int(rng.integers(1, len(column.keypoints_mm)))  # not C2
    truth = column.keypoints_mm[body]
    is_body = bool(rng.random() >= OFF_TARGET)
    frame = disturbed(rng, crop_frames(truth[None]), body_height(truth))
    if not is_body:
        frame = off_target(rng, frame, truth)
    hu, labels, bodies = _read(rng, column, frame, body)
    this = (labels == body + 1) if is_body else np.zeros_like(labels, bool)
    return BodyCrop(
        hu,
        frame.to_pixels(bodies[None, 1])[0],
        frame.to_pixels(facing(bodies)[None])[0],
        np.stack([this, labels > 0]).astype(np.float32),
        is_body,
        float(frame.pixel_mm[0]),
    )


def facing(bodies: np.ndarray) -> np.ndarray:
    """Points (2, 3, 2) of the neighbours that face the middle one of bodies (3, 3, 2, 2)."""
    return np.stack([bodies[0, :, 1], bodies[2, :, 0]])


def disturbed(rng: np.random.Generator, frame: CropFrames, height_mm: float) -> CropFrames:
    """The frame as a detector's errors would have made it."""
    far = rng.random() < _FAR
    shift = rng.normal(0, 3.5 if far else 1.2, (1, 2))
    if rng.random() < _SHIFTED:
        shift = shift + rng.uniform(-0.35, 0.35) * height_mm * frame.caudal
    turn = rng.normal(0, np.radians(10 if far else 4))
    cos, sin = np.cos(turn), np.sin(turn)
    scale = np.exp(rng.normal(0, 0.15 if far else 0.07))
    return CropFrames(
        frame.centre + shift,
        frame.posterior @ np.array([[cos, sin], [-sin, cos]]),
        frame.pixel_mm * scale,
    )


def off_target(rng: np.random.Generator, frame: CropFrames, truth: np.ndarray) -> CropFrames:
    """On the disc below, or beside the column."""
    if rng.random() < 0.5:
        centre = truth[:, 1].mean(0) + rng.normal(0, 0.8, 2) + 2.5 * frame.caudal[0]
    else:
        side = rng.choice([-1, 1]) * rng.uniform(0.8, 1.5) * CROP_PX / 2 * frame.pixel_mm[0]
        centre = frame.centre[0] + side * frame.posterior[0] + rng.normal(0, 10, 2)
    return CropFrames(centre[None], frame.posterior, frame.pixel_mm)


def _read(
    rng: np.random.Generator, column: DrawnColumn, frame: CropFrames, body: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degrade the part of the column round the frame, then sample it.

    Returns:
        HU (128, 128), labels (128, 128), and the keypoints (3, 3, 2, 2), mm, of the body above,
        this one and the one below as the image shows them; NaN where there is none.
    """
    places = frame.to_plane(CROP_GRID[None])[0][..., ::-1] / STEP_MM  # (128, 128, 2) row, column
    low = np.floor(places.min((0, 1))).astype(int) - 8
    high = np.ceil(places.max((0, 1))).astype(int) + 9
    hu = _part(column.hu, low, high, AIR_HU)
    worn = degrade(rng, hu, STEP_MM)
    shown = _shown(worn.clean, column.keypoints_mm, low[::-1] * STEP_MM, body)
    image = worn.hu
    if rng.random() < 0.05:
        image, _ = cut_field_of_view(rng, image, STEP_MM)
    inside = np.moveaxis(places - low, -1, 0)
    crop = map_coordinates(image, inside, order=1, mode="nearest", prefilter=False)
    labels = map_coordinates(_part(column.labels, low, high, 0), inside, order=0, prefilter=False)
    return np.asarray(crop, np.float32), np.asarray(labels).round().astype(int), shown


def _shown(
    clean: np.ndarray, keypoints_mm: np.ndarray, corner_mm: np.ndarray, body: int
) -> np.ndarray:
    """Keypoints of three bodies (3, 3, 2, 2) on the edges that a part of the image shows."""
    shown = np.full((3, 3, 2, 2), np.nan)
    for place, index in enumerate(range(body - 1, body + 2)):
        if index < len(keypoints_mm):  # never below 0: the first body, C2, is not read
            own = apparent_keypoints(clean, keypoints_mm - corner_mm, index, STEP_MM)
            shown[place] = own + corner_mm
    return shown


def _part(image: np.ndarray, low: np.ndarray, high: np.ndarray, fill: float) -> np.ndarray:
    """Rows and columns low to high of an image, filled beyond its border."""
    part = np.full(high - low, fill, np.float32)
    start, stop = np.maximum(low, 0), np.minimum(high, image.shape)
    if np.all(stop > start):
        target = tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))
        part[target] = image[start[0] : stop[0], start[1] : stop[1]]
    return part


def body_height(keypoints_mm: np.ndarray) -> float:
    """Mean height of one body (3, 2, 2), mm."""
    return float(np.linalg.norm(keypoints_mm[:, 1] - keypoints_mm[:, 0], axis=-1).mean())


def refiner_batch(crops: list[BodyCrop]) -> RefinerBatch:
    """Tensors of several crops."""
    image = torch.from_numpy(np.stack([normalise(crop.hu) for crop in crops])[:, None])
    own = np.stack([crop.points_px.reshape(KEYPOINTS, 2) for crop in crops])
    others = np.stack([crop.facing_px.reshape(FACING, 2) for crop in crops])
    points = np.nan_to_num(np.concatenate([own, others], 1), nan=UNKNOWN_PX).astype(np.float32)
    return RefinerBatch(
        image.contiguous(memory_format=torch.channels_last),
        torch.from_numpy(points),
        torch.from_numpy(np.stack([crop.segmentation for crop in crops])),
        torch.tensor([float(crop.is_body) for crop in crops]),
        torch.tensor([crop.pixel_mm for crop in crops]),
        torch.tensor([crop.segmented for crop in crops], dtype=torch.float32)[..., None, None],
    )
