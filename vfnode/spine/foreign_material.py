"""Metal and bone cement in vertebral bodies: their endplates are not where the edges are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.spatial import cKDTree

from vfnode.spine.body_frame import body_rotation
from vfnode.spine.curve import SpineCurve
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume, FloatArray

#: Cortical bone stays below 2000 HU, enamel apart; titanium saturates 12 bits at 3071.
METAL_HU = 2500
#: A slice of a pedicle screw; a grain of noise or of calcium is smaller.
METAL_MM3 = 30.0
METAL_MARGIN_MM = 3.0  #: metal this near to a body disturbs its edges
#: Spongy bone is below 500 HU, a bone island about 1000; cement with barium 1200 to 2500.
CEMENT_HU = 1200
CEMENT_MM3 = 500.0  #: vertebroplasty fills 2 to 6 cm3; bone islands are smaller
CEMENT_DEPTH_MM = 4.0  #: inside the body by this much, where no cortical bone is
HALF_WIDTH = 0.7  #: of a body from left to right, in depths from front to back
#: Rods along the whole spine; a clip or a wire beside it holds less.
SPINE_METAL_MM3 = 2000.0
SPINE_RADIUS_MM = 30.0


def foreign_material(volume: CTVolume, keypoints_mm: FloatArray) -> tuple[Reason | None, ...]:
    """Metal or cement in each body.

    Args:
        volume: the CT.
        keypoints_mm: (n, 3, 2, 3) LPS.

    Returns:
        METAL, CEMENT or None for each of the n bodies.
    """
    return tuple(_material(volume, points) for points in keypoints_mm)


def metal_along(volume: CTVolume, curve: SpineCurve) -> bool:
    """True if much metal lies beside the spine, as rods and screws do."""
    voxels = np.argwhere(volume.hu > METAL_HU)
    if len(voxels) * _voxel_mm3(volume) < SPINE_METAL_MM3:
        return False
    distance_mm, _ = cKDTree(curve.points_mm).query(volume.to_patient(voxels.astype(float)))
    near = np.count_nonzero(distance_mm <= SPINE_RADIUS_MM)
    return bool(near * _voxel_mm3(volume) >= SPINE_METAL_MM3)


def _material(volume: CTVolume, points: FloatArray) -> Reason | None:
    if _largest_mm3(volume, points, METAL_HU, METAL_MARGIN_MM) >= METAL_MM3:
        return Reason.METAL
    if _largest_mm3(volume, points, CEMENT_HU, -CEMENT_DEPTH_MM) >= CEMENT_MM3:
        return Reason.CEMENT
    return None


def _largest_mm3(volume: CTVolume, points: FloatArray, above_hu: int, margin_mm: float) -> float:
    """Largest connected piece denser than a limit in the box of a body, grown by a margin."""
    rotation, centre = body_rotation(points), points.mean((0, 1))
    local = (points - centre).reshape(-1, 3) @ rotation
    low, high = local.min(0), local.max(0)
    half_width = HALF_WIDTH * (high[0] - low[0])
    low[1], high[1] = -half_width, half_width
    low, high = low - margin_mm, high + margin_mm
    if np.any(low >= high):  # flatter than twice the depth that is asked for
        return 0.0
    first, block = _block(volume, centre + _corners(low, high) @ rotation.T)
    dense = np.argwhere(block > above_hu)
    place = (volume.to_patient((dense + first).astype(float)) - centre) @ rotation
    dense = dense[np.all((place >= low) & (place <= high), axis=1)]
    if len(dense) == 0:
        return 0.0
    inside = np.zeros(block.shape, bool)
    inside[tuple(dense.T)] = True
    pieces, _ = label(inside, np.ones((3, 3, 3)))
    return float(np.bincount(pieces[inside]).max() * _voxel_mm3(volume))


def _corners(low: FloatArray, high: FloatArray) -> FloatArray:
    """The eight corners (8, 3) of a box."""
    grid = np.meshgrid(*zip(low, high, strict=True))
    return np.stack([axis.ravel() for axis in grid], -1)


def _block(
    volume: CTVolume, corners_mm: FloatArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """First voxel and values of the part of the volume that holds some points; may be empty."""
    voxels = volume.to_voxel(corners_mm)
    shape = np.array(volume.hu.shape)
    first = np.clip(np.floor(voxels.min(0)).astype(int), 0, shape)
    last = np.clip(np.ceil(voxels.max(0)).astype(int) + 1, 0, shape)
    return first, volume.hu[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]


def _voxel_mm3(volume: CTVolume) -> float:
    return float(abs(np.linalg.det(volume.affine[:3, :3])))
