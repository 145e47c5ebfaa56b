"""Sizes of vertebral bodies and their distances, as people have them.

From ten CT of ../shared/data as the pipeline measures them (three makers, 0.7 to 3.3 mm slices;
six read by hand): depth against pitch, each relative to its level's usual value, is 0.96 to 1.30
in the median of a CT; the pitch alone 0.92 to 1.16; the former over the latter 0.92 to 1.31. The
limits were chosen on these CT, clear of all of them. What they catch of the same CT with a
wrong scale stands in docs/inputs.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.spine.level_chain import PITCH_MM
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume, FloatArray

#: Usual depth of a body, front to back, over the distance to the next one.
DEPTH_PER_PITCH = {
    "C3": 0.95,
    "T1": 0.82,
    "T4": 0.96,
    "T8": 1.10,
    "T12": 0.95,
    "L2": 0.97,
    "L5": 0.99,
}
SHAPE_LIMITS = (0.87, 1.40)  #: of depth over pitch, relative to the usual
PITCH_LIMITS = (0.78, 1.35)  #: relative to the usual
FLATNESS_LIMIT = 1.42  #: of the former over the latter: short and deep is half the slice distance
FEWEST = 3  #: neighbours that are needed to judge
#: No scanner makes voxels of less or more, nor images of so much of a person.
VOXEL_MM, LONGEST_MM = (0.05, 20.0), 2500.0


def require_possible_voxels(volume: CTVolume) -> None:
    """Refuse a volume whose unit cannot be the millimetre, before anything is made of it.

    Raises:
        NotEvaluableError: scale-implausible.
    """
    spacing = volume.spacing_mm
    extent = spacing * volume.hu.shape
    if spacing.min() < VOXEL_MM[0] or spacing.max() > VOXEL_MM[1] or extent.max() > LONGEST_MM:
        raise _implausible(f"voxels of {spacing.min():.3g} to {spacing.max():.3g} mm")


def require_human_size(keypoints_mm: FloatArray, levels: Sequence[str]) -> None:
    """Refuse a spine that nobody has: PixelSpacing or the distance of slices must be wrong.

    Args:
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal.
        levels: most probable names; others than those of vertebrae are passed over.

    Raises:
        NotEvaluableError: scale-implausible.
    """
    depth_mm = np.linalg.norm((keypoints_mm[:, 2] - keypoints_mm[:, 0]).mean(1), axis=-1)
    pitch_mm = np.linalg.norm(np.diff(keypoints_mm.mean((1, 2)), axis=0), axis=-1)
    known = [i for i in range(len(pitch_mm)) if levels[i] in PITCH_MM]
    if len(known) < FEWEST:
        return
    usual = np.array([PITCH_MM[levels[i]] for i in known])
    pitch = float(np.median(pitch_mm[known] / usual))
    wanted = np.array([_depth_per_pitch(levels[i]) for i in known])
    shape = float(np.median(depth_mm[known] / pitch_mm[known] / wanted))
    told = f"bodies {shape:.2f} times as deep and {pitch:.2f} times as far apart as usual"
    if not SHAPE_LIMITS[0] <= shape <= SHAPE_LIMITS[1]:
        raise _implausible(told)
    if not PITCH_LIMITS[0] <= pitch <= PITCH_LIMITS[1] or shape / pitch > FLATNESS_LIMIT:
        raise _implausible(told)


def _depth_per_pitch(level: str) -> float:
    names = list(PITCH_MM)
    places = [names.index(name) for name in DEPTH_PER_PITCH]
    return float(np.interp(names.index(level), places, list(DEPTH_PER_PITCH.values())))


def _implausible(why: str) -> NotEvaluableError:
    return NotEvaluableError(Reason.SCALE_IMPLAUSIBLE.code, why)
