"""The second look: each body again, in its own frame, on a planar cut through the CT.

The frame comes from the six first points: their mean, 0.7 of the antero-posterior
direction and 0.3 of the axis, and as scale the antero-posterior depth, never the
heights, which are what is wrong. A planar cut has no distortion by the kyphosis.
"""

from dataclasses import dataclass

import numpy as np
import torch

from vfnode.inference.bundle import LoadedModel
from vfnode.inference.model_input import CROP_DEPTHS, normalise
from vfnode.networks.keypoint_refiner import CROP_PX, KEYPOINTS, axial_spread, soft_argmax
from vfnode.spine.volume import CTVolume, FloatArray

SLAB_MM = 6.0
LOOKS = 2  #: the frame from the points of the first fits the body better
_LAYERS = 5
_AXIS_SHARE = 0.3
_BATCH = 32


@dataclass(frozen=True)
class CropFrames:
    """Square crops in a plane; n bodies."""

    centre: FloatArray  #: (n, 2) x, z mm
    posterior: FloatArray  #: (n, 2) unit
    pixel_mm: FloatArray  #: (n,)

    @property
    def caudal(self) -> FloatArray:
        """(n, 2) unit, a right angle from posterior."""
        return np.stack([-self.posterior[:, 1], self.posterior[:, 0]], -1)

    def to_plane(self, pixels: FloatArray) -> FloatArray:
        """(n, ..., 2) crop pixels (x, z) -> plane mm."""
        shape = (len(self.centre), *([1] * (pixels.ndim - 2)), 2)
        offset = (pixels - (CROP_PX - 1) / 2) * self.pixel_mm.reshape((*shape[:-1], 1))
        across = offset[..., :1] * self.posterior.reshape(shape)
        down = offset[..., 1:] * self.caudal.reshape(shape)
        return np.asarray(self.centre.reshape(shape) + across + down)

    def to_pixels(self, points_mm: FloatArray) -> FloatArray:
        """(n, ..., 2) plane mm -> crop pixels (x, z)."""
        shape = (len(self.centre), *([1] * (points_mm.ndim - 2)), 2)
        offset = (points_mm - self.centre.reshape(shape)) / self.pixel_mm.reshape((*shape[:-1], 1))
        across = (offset * self.posterior.reshape(shape)).sum(-1)
        down = (offset * self.caudal.reshape(shape)).sum(-1)
        return np.stack([across, down], -1) + (CROP_PX - 1) / 2


def crop_frames(keypoints_mm: FloatArray) -> CropFrames:
    """Frames of the second look from first points (n, 3, 2, 2) in a plane, (x, z) mm."""
    across = keypoints_mm[:, 2] - keypoints_mm[:, 0]
    down = keypoints_mm[:, :, 1].mean(1) - keypoints_mm[:, :, 0].mean(1)
    turned = np.stack([down[:, 1], -down[:, 0]], -1)  # a right angle back from the axis
    direction = (1 - _AXIS_SHARE) * _unit(across.mean(1)) + _AXIS_SHARE * _unit(turned)
    depth = np.linalg.norm(across, axis=-1).mean(1)
    return CropFrames(keypoints_mm.mean((1, 2)), _unit(direction), CROP_DEPTHS * depth / CROP_PX)


def refine_keypoints(
    volume: CTVolume,
    keypoints_patient_mm: FloatArray,
    left: FloatArray,
    loaded: LoadedModel,
    device: str = "cpu",
    looks: int = LOOKS,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Look again at each body and place its six points by heat-maps.

    Args:
        volume: the CT.
        keypoints_patient_mm: (n, 3, 2, 3) first points, patient LPS mm.
        left: (n, 3) unit normal of the sagittal plane of each body, towards the patient's left.
        loaded: a bundle of role 'keypoints'.
        device: where its network is.
        looks: at least 1; each starts from the points of the one before.

    Returns:
        Points (n, 3, 2, 3) in the same frame; standard deviation (n, 3, 2) of their heat-maps
        along the axis of the body, mm; probability (n,) that the crop shows a vertebral body.
    """
    if len(keypoints_patient_mm) == 0:
        return np.zeros((0, 3, 2, 3)), np.zeros((0, 3, 2)), np.zeros(0)
    points = keypoints_patient_mm
    for _ in range(looks):
        plane = BodyPlanes.through(points, left)
        frames = crop_frames(plane.to_plane(points))
        pixels, spread_px, objectness = _look(_cut(volume, plane, frames), loaded, device)
        points = plane.to_patient(frames.to_plane(pixels.reshape(-1, 3, 2, 2)))
    return points, (spread_px * frames.pixel_mm[:, None]).reshape(-1, 3, 2), objectness


@dataclass(frozen=True)
class BodyPlanes:
    """One sagittal plane a body, with a basis roughly posterior and caudal."""

    origin: FloatArray  #: (n, 3)
    posterior: FloatArray  #: (n, 3)
    left: FloatArray  #: (n, 3)

    @classmethod
    def through(cls, keypoints_mm: FloatArray, left: FloatArray) -> "BodyPlanes":
        """Planes with the normals `left` (n, 3) through the middles of bodies (n, 3, 2, 3)."""
        left = _unit(left)
        across = keypoints_mm[:, 2].mean(1) - keypoints_mm[:, 0].mean(1)
        posterior = _unit(across - (across * left).sum(-1, keepdims=True) * left)
        return cls(keypoints_mm.mean((1, 2)), posterior, left)

    @property
    def caudal(self) -> FloatArray:
        """(n, 3) unit, a right angle from posterior and left."""
        return np.cross(self.posterior, self.left)

    def to_plane(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3, 2, 3) -> (n, 3, 2, 2)."""
        offset = points_mm - self.origin[:, None, None]
        across = np.einsum("nijk,nk->nij", offset, self.posterior)
        return np.stack([across, np.einsum("nijk,nk->nij", offset, self.caudal)], -1)

    def to_patient(self, points_mm: FloatArray) -> FloatArray:
        """(n, i, j, 2) -> (n, i, j, 3)."""
        across = points_mm[..., :1] * self.posterior[:, None, None]
        down = points_mm[..., 1:] * self.caudal[:, None, None]
        return np.asarray(self.origin[:, None, None] + across + down)


def _cut(volume: CTVolume, plane: BodyPlanes, frames: CropFrames) -> np.ndarray:
    """HU of the crops, mean of the slab; (n, CROP_PX, CROP_PX)."""
    columns, rows = np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX))
    grid = np.broadcast_to(
        np.stack([columns, rows], -1).astype(float), (len(frames.centre), CROP_PX, CROP_PX, 2)
    )
    return slab_in_planes(volume, plane, frames.to_plane(grid))


def slab_in_planes(volume: CTVolume, plane: BodyPlanes, grid_mm: FloatArray) -> np.ndarray:
    """HU at points (n, rows, columns, 2) of the bodies' planes, mean of the slab."""
    points = plane.to_patient(grid_mm)
    layers = np.linspace(-SLAB_MM / 2, SLAB_MM / 2, _LAYERS)
    total = np.zeros(points.shape[:3], np.float32)
    for index in range(len(points)):  # one body at a time: each reads a small box of the volume
        for layer in layers:
            total[index] += volume.sample(points[index] + layer * plane.left[index])
    return total / _LAYERS


def _look(
    crops: np.ndarray, loaded: LoadedModel, device: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (n, 6, 2) and their spread (n, 6) in pixels, objectness (n,)."""
    points, spreads, scores = [], [], []
    with torch.inference_mode():
        for start in range(0, len(crops), _BATCH):
            batch = torch.from_numpy(normalise(crops[start : start + _BATCH]))[:, None].to(device)
            maps, logit = loaded.model(batch)
            point, _ = soft_argmax(maps[:, :KEYPOINTS])
            points.append(point.cpu().numpy())
            spreads.append(axial_spread(maps[:, :KEYPOINTS]).cpu().numpy())
            scores.append(logit.float().sigmoid().cpu().numpy())
    joined = [np.concatenate(part).astype(float) for part in (points, spreads, scores)]
    return joined[0], joined[1], joined[2]


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
