"""Bodies that are measured but not graded, and the reason of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfnode.inference.bodies import UNKNOWN_LEVEL, LevelNames
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.foreign_material import foreign_material
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.seen import lies_on_images
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume, FloatArray

BORDER_MM = 0.5  #: a keypoint this near the border of the volume belongs to a cut body
#: Bodies that reach into each other were not both measured: on 148 semi-real bodies the mean error
#: of the height ratio was 0.15 beyond this overlap and 0.03 below it.
OVERLAP_MM = 2.0
_LEVELS = {level.value for level in VertebralLevel}


def unreadable(volume: CTVolume, keypoints_mm: FloatArray) -> list[Reason | None]:
    """Reasons why endplates of bodies (n, 3, 2, 3) cannot be seen; None where they can.

    The border and missing images come first, then metal and cement.
    """
    inside, shown = _inside(volume, keypoints_mm), lies_on_images(volume, keypoints_mm)
    materials = foreign_material(volume, keypoints_mm)
    return [
        _first(whole, is_shown, material)
        for whole, is_shown, material in zip(inside, shown, materials, strict=True)
    ]


def _first(whole: bool, shown: bool, other: Reason | None) -> Reason | None:
    """The reason that comes first: what is not on the images cannot be judged at all."""
    if not whole:
        return Reason.CUT_VERTEBRA
    return other if shown else Reason.NO_IMAGE


def withheld_reasons(
    hidden: Sequence[Reason | None], levels: Sequence[Reason | None], doubtful: np.ndarray
) -> list[Reason | None]:
    """First reason not to grade each of n bodies: hidden, its level, doubt; None: graded."""
    return [
        reason or level or (Reason.UNCERTAIN_KEYPOINTS if doubt else None)
        for reason, level, doubt in zip(hidden, levels, doubtful, strict=True)
    ]


def level_reasons(levels: LevelNames, limits: GenantLimits) -> list[Reason | None]:
    """Reasons not to grade bodies because of their level; None where there is none.

    A body without a name is graded where every name that it may have is graded.
    """
    return [
        _level_reason(name, plausible, limits)
        for name, plausible in zip(levels.shown, levels.plausible, strict=True)
    ]


def _level_reason(name: str, plausible: tuple[str, ...], limits: GenantLimits) -> Reason | None:
    names = (name,) if name != UNKNOWN_LEVEL else plausible
    graded = [other in _LEVELS and limits.grades(VertebralLevel(other)) for other in names]
    if all(graded):
        return None
    return Reason.LEVEL_UNKNOWN if any(graded) else Reason.OUTSIDE_GRADED_LEVELS


def overlap_mm(keypoints_mm: FloatArray) -> FloatArray:
    """Length in mm by which each body (n, 3, 2, 3) reaches into a neighbour, (n,); 0 if not."""
    found = np.zeros(len(keypoints_mm))
    for index in range(len(keypoints_mm) - 1):
        axis = body_rotation(keypoints_mm[index])[:, 2]
        gaps = (keypoints_mm[index + 1][:, 0] - keypoints_mm[index][:, 1]) @ axis
        both = slice(index, index + 2)
        found[both] = np.maximum(found[both], -float(gaps.min()))
    return found


def _inside(volume: CTVolume, keypoints_mm: FloatArray) -> np.ndarray:
    """True of each body (n, 3, 2, 3) with all six points inside the volume; (n,) bool."""
    margin = np.maximum(BORDER_MM / volume.spacing_mm, 0.5)
    voxels = volume.to_voxel(keypoints_mm)
    last = np.array(volume.hu.shape) - 1
    inside = (voxels >= margin) & (voxels <= last - margin)
    return np.asarray(np.all(inside, axis=(1, 2, 3)))
