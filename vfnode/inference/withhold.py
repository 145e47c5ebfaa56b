"""Which bodies are measured but not graded, and why."""

from __future__ import annotations

import numpy as np

from vfnode.spine.body_frame import body_rotation
from vfnode.spine.foreign_material import foreign_material
from vfnode.spine.reason import Reason
from vfnode.spine.seen import lies_on_images
from vfnode.spine.volume import CTVolume, FloatArray

BORDER_MM = 0.5  #: a keypoint this near the border of the volume belongs to a cut body
#: Bodies that reach into each other were not both measured: on 148 semi-real bodies the mean error
#: of the height ratio was 0.15 beyond this overlap and 0.03 below it.
OVERLAP_MM = 2.0
#: Expected error of the keypoints beyond which no grade is given: a tenth of a body's height.
UNCERTAIN_MM = 3.0


def withheld_reasons(
    volume: CTVolume, keypoints_mm: FloatArray, uncertainty_mm: FloatArray
) -> list[Reason | None]:
    """Why each body is not graded, None where it is; the border and missing images come first.

    Args:
        volume: the CT.
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal.
        uncertainty_mm: (n,) expected error of the keypoints.
    """
    inside, shown = _inside(volume, keypoints_mm), lies_on_images(volume, keypoints_mm)
    materials = foreign_material(volume, keypoints_mm)
    uncertain = (uncertainty_mm > UNCERTAIN_MM) | (overlap_mm(keypoints_mm) > OVERLAP_MM)
    doubts = [Reason.UNCERTAIN_KEYPOINTS if each else None for each in uncertain]
    return [
        _first(whole, is_shown, material or doubt)
        for whole, is_shown, material, doubt in zip(inside, shown, materials, doubts, strict=True)
    ]


def _first(whole: bool, shown: bool, other: Reason | None) -> Reason | None:
    """The reason that comes first: what is not on the images cannot be judged at all."""
    if not whole:
        return Reason.CUT_VERTEBRA
    return other if shown else Reason.NO_IMAGE


def overlap_mm(keypoints_mm: FloatArray) -> FloatArray:
    """How far each body (n, 3, 2, 3) reaches into a neighbour along its axis, (n,); 0 if not."""
    found = np.zeros(len(keypoints_mm))
    for index in range(len(keypoints_mm) - 1):
        axis = body_rotation(keypoints_mm[index])[:, 2]
        gaps = (keypoints_mm[index + 1][:, 0] - keypoints_mm[index][:, 1]) @ axis
        both = slice(index, index + 2)
        found[both] = np.maximum(found[both], -float(gaps.min()))
    return found


def _inside(volume: CTVolume, keypoints_mm: FloatArray) -> np.ndarray:
    """Which bodies (n, 3, 2, 3) lie inside the volume with all six points; (n,) bool."""
    margin = np.maximum(BORDER_MM / volume.spacing_mm, 0.5)
    voxels = volume.to_voxel(keypoints_mm)
    last = np.array(volume.hu.shape) - 1
    inside = (voxels >= margin) & (voxels <= last - margin)
    return np.asarray(np.all(inside, axis=(1, 2, 3)))
