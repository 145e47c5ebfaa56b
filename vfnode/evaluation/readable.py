"""Visibility of endplates: an endplate beside a disc as dense as bone is read by nobody."""

from __future__ import annotations

import numpy as np

from vfnode.spine.body_frame import body_rotation
from vfnode.spine.volume import CTVolume, FloatArray

INSIDE_MM = (0.0, 0.75, 1.5)  #: below the read endplate: where its cortical plate may lie
ACROSS_MM = (-4.0, -2.0, 0.0, 2.0, 4.0)
ALONG = (0.2, 0.35, 0.5, 0.65, 0.8)  #: of the way from anterior to posterior
OPEN_DISC_MM = 5.0  #: assumed beyond an outermost body


def disc_contrast_hu(volume: CTVolume, keypoints_mm: FloatArray, index: int) -> FloatArray:
    """Density of each endplate of a body above that of the disc beside it, HU.

    Args:
        volume: the CT.
        keypoints_mm: (n, 3, 2, 3) LPS, consecutive bodies from cranial to caudal.
        index: of the body.

    Returns:
        (2,) superior and inferior: median HU of the endplate where it is densest, minus that of
        the disc's middle.
    """
    rotation = body_rotation(keypoints_mm[index])
    found = []
    for end, outward in ((0, -rotation[:, 2]), (1, rotation[:, 2])):
        own = _line(keypoints_mm[index][:, end])
        neighbour = index + (-1, 1)[end]
        if 0 <= neighbour < len(keypoints_mm):
            middle = (own + _line(keypoints_mm[neighbour][:, 1 - end])) / 2
        else:
            middle = own + OPEN_DISC_MM / 2 * outward
        sides = np.array(ACROSS_MM)[:, None, None] * rotation[:, 1]
        plate = max(np.median(volume.sample(own - d * outward + sides)) for d in INSIDE_MM)
        found.append(float(plate - np.median(volume.sample(middle + sides))))
    return np.array(found)


def _line(points_mm: FloatArray) -> FloatArray:
    """Points along an endplate's three (3, 3): (5, 3)."""
    return np.stack(
        [np.interp(ALONG, (0.0, 0.5, 1.0), points_mm[:, axis]) for axis in range(3)], -1
    )
