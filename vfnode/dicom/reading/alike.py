"""Slices of one plane: alike in direction, matrix, pixel spacing and frame of reference.

Everything is compared in degrees and parts, never by rounded values: two that differ by a
hundred-thousandth may round to different ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.spine.volume import FloatArray

#: Scanners and archives round direction cosines; over the 20 mm of a body half a degree is 0.2 mm.
ANGLE_DEG = 0.5
#: PixelSpacing written with two or with six digits; another field of view differs by far more.
SPACING_PART = 0.005


def alike(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Groups of slices that may lie in one stack, the largest first.

    Each group is what lies near its middle member, so that jitter to both sides stays together
    and a slow drift does not.
    """
    groups = []
    remaining = list(slices)
    while remaining:
        near = _near_the_middle(remaining)
        groups += _by_frame([s for s, is_near in zip(remaining, near, strict=True) if is_near])
        remaining = [s for s, is_near in zip(remaining, near, strict=True) if not is_near]
    return sorted(groups, key=len, reverse=True)


def is_alike(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether the pixels of two slices lie alike within their planes."""
    turned = angle_deg(one.orientation.reshape(2, 3), other.orientation.reshape(2, 3))
    scaled = np.abs(np.divide(one.pixel_spacing_mm, other.pixel_spacing_mm) - 1)
    near = turned.max() <= ANGLE_DEG and scaled.max() <= SPACING_PART
    return one.shape == other.shape and bool(near)


def toward_caudal(header: SliceHeader) -> FloatArray:
    """Unit normal (3,) of a slice that points caudal, where the slice is not upright."""
    return -header.normal if header.normal[2] > 0 else header.normal


def angle_deg(one: FloatArray, other: FloatArray) -> FloatArray:
    """Angle between directions (..., 3)."""
    cosine = np.sum(one * other, -1)
    cosine = cosine / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _near_the_middle(slices: Sequence[SliceHeader]) -> npt.NDArray[np.bool_]:
    """Which slices are alike to the one that is most like all of them; (n,)."""
    shape = Counter(header.shape for header in slices).most_common(1)[0][0]
    same_shape = np.array([header.shape == shape for header in slices])
    axes = np.array([header.orientation for header in slices]).reshape(-1, 2, 3)
    spacing = np.array([header.pixel_spacing_mm for header in slices])
    off = np.linalg.norm(axes - np.median(axes[same_shape], axis=0), axis=(1, 2))
    off = off + np.abs(spacing / np.median(spacing[same_shape], axis=0) - 1).sum(1)
    middle = int(np.where(same_shape, off, np.inf).argmin())
    turned = angle_deg(axes, axes[middle]).max(1)
    scaled = np.abs(spacing / spacing[middle] - 1).max(1)
    return np.asarray(same_shape & (turned <= ANGLE_DEG) & (scaled <= SPACING_PART))


def _by_frame(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """The slices of each frame of reference.

    All of them together where nearly every slice has its own: some de-identification
    (LIDC-IDRI) draws a new UID for each file, which cannot have been the scanner's doing.
    """
    found: dict[str, list[SliceHeader]] = {}
    for header in slices:
        found.setdefault(header.frame_of_reference_uid, []).append(header)
    return [list(slices)] if len(found) > len(slices) / 2 else list(found.values())
