"""The place of a spine in its images: front and back, and how much of it was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.level_chain import PITCH_MM
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume, FloatArray

#: Behind a body lie laminae, joints and processes; before it soft tissue or lung. Looked at on the
#: left behind and on the right before: the aorta, full of contrast agent as it may be, lies on the
#: left before, and stays out of both in a patient who is turned round.
BONE_HU = 250
AWAY_MM, REACH_MM, WIDTH_MM, HALF_HEIGHT_MM = 8.0, 40.0, 20.0, 6.0
#: On eleven CT of ../shared/data the median share of bone is 0.13 or more behind, 0.01 before.
MORE_IN_FRONT = 0.03
FEWEST = 3  #: bodies that are needed to judge
#: Ends of the spine that is looked for.
FIRST, LAST = "C3", "L5"
#: Beyond the last body so much may lack: its neighbour, cut by the border, and a disc.
PITCHES_BEYOND = 1.5
#: So much spine without a body makes the result one of a part; as much as was found, of nothing.
MISSING_MM, MOSTLY_MISSING_MM = 75.0, 100.0


def require_front_before_back(volume: CTVolume, keypoints_mm: FloatArray) -> None:
    """Refuse a patient who lies otherwise than the images say.

    Args:
        volume: the CT.
        keypoints_mm: (n, 3, 2, 3) LPS.

    Raises:
        NotEvaluableError: orientation-implausible.
    """
    if len(keypoints_mm) < FEWEST:
        return
    behind, before = np.median([_bone_shares(volume, points) for points in keypoints_mm], axis=0)
    if before > behind + MORE_IN_FRONT:
        raise NotEvaluableError(
            Reason.ORIENTATION_IMPLAUSIBLE.code,
            f"more bone before the bodies ({before:.0%}) than behind them ({behind:.0%})",
        )


def uncovered_mm(volume: CTVolume, keypoints_mm: FloatArray, levels: Sequence[str]) -> float:
    """Length of the images above the first and below the last body in which others should lie.

    Args:
        volume: the CT, with what of it is image.
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal; n at least 1.
        levels: most probable names.
    """
    low, high = _image_ends_mm(volume)
    heights = keypoints_mm[..., 2]
    known = [PITCH_MM.get(level, 25.0) for level in levels]
    above = high - float(heights[0].max()) - PITCHES_BEYOND * known[0]
    below = float(heights[-1].min()) - low - PITCHES_BEYOND * known[-1]
    names = list(PITCH_MM)
    is_first = levels[0] in names and names.index(levels[0]) <= names.index(FIRST)
    is_last = levels[-1] in names and names.index(levels[-1]) >= names.index(LAST)
    return (0.0 if is_first else max(0.0, above)) + (0.0 if is_last else max(0.0, below))


def coverage_notes(
    volume: CTVolume, keypoints_mm: FloatArray, levels: Sequence[str]
) -> tuple[Reason, ...]:
    """The notes on spine without bodies.

    Raises:
        NotEvaluableError: spine-not-covered: less was found than is missing.
    """
    missing_mm = uncovered_mm(volume, keypoints_mm, levels)
    found_mm = float(np.ptp(keypoints_mm[..., 2]))
    if missing_mm > max(found_mm, MOSTLY_MISSING_MM):
        raise NotEvaluableError(
            Reason.SPINE_NOT_COVERED.code,
            f"{len(keypoints_mm)} bodies over {found_mm:.0f} mm, none over {missing_mm:.0f} mm",
        )
    return (Reason.SPINE_NOT_COVERED,) if missing_mm > MISSING_MM else ()


def _bone_shares(volume: CTVolume, points: FloatArray) -> tuple[float, float]:
    """Share of bone behind a body (3, 2, 3) on the left, and before it on the right."""
    rotation, centre = body_rotation(points), points.mean((0, 1))
    half_depth = float(np.linalg.norm((points[2] - points[0]).mean(0))) / 2
    away = np.linspace(half_depth + AWAY_MM, half_depth + REACH_MM, 15)
    left = np.linspace(0.0, WIDTH_MM, 11)
    caudal = np.linspace(-HALF_HEIGHT_MM, HALF_HEIGHT_MM, 5)
    behind = np.stack(np.meshgrid(away, left, caudal), -1).reshape(-1, 3)
    before = np.stack(np.meshgrid(-away, -left, caudal), -1).reshape(-1, 3)
    shares = (
        float(np.mean(volume.sample(centre + local @ rotation.T) > BONE_HU))
        for local in (behind, before)
    )
    return next(shares), next(shares)


def _image_ends_mm(volume: CTVolume) -> tuple[float, float]:
    """Lowest and highest z of the images, in the middle of a volume in canonical order."""
    last = np.array(volume.hu.shape) - 1
    ends = np.tile(last / 2.0, (2, 1))
    ends[:, 0] = 0, last[0]
    places = np.flatnonzero(volume.is_image)
    if volume.slice_axis == 0 and len(places):
        ends[:, 0] = places[[0, -1]]
    z = volume.to_patient(ends)[:, 2]
    return float(z.min()), float(z.max())
