"""Numbers of a volume file -> Hounsfield units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vfnode.spine.volume import BoolArray

LOWEST_HU, HIGHEST_HU = -1024, 32767


def to_hu(
    stored: npt.NDArray[Any], slope: float = 1.0, intercept: float = 0.0
) -> npt.NDArray[np.int16]:
    """HU of stored values (3 axes), a plane at a time: no copy of it all in floating point.

    Rounded; no number is air; clipped to what int16 holds.
    """
    hu = np.empty(stored.shape, np.int16, order="F")  # as these files store it
    for k in range(stored.shape[2]):
        plane = np.nan_to_num(stored[..., k] * slope + intercept, nan=LOWEST_HU)
        hu[..., k] = np.clip(np.rint(plane), LOWEST_HU, HIGHEST_HU)
    return hu


def image_places(hu: npt.NDArray[np.int16]) -> BoolArray:
    """Whether there are data at each place along the last axis; (K,).

    A constant plane holds none, nor does one that repeats its neighbour.
    """
    found = np.ones(hu.shape[2], bool)
    for k in range(hu.shape[2]):
        plane = hu[..., k]
        found[k] &= bool(plane.min() != plane.max())
        if k and np.array_equal(plane, hu[..., k - 1]):
            found[k - 1 : k + 1] = False
    return found
