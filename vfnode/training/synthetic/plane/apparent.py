"""Apparent place of an endplate: the half-maximum edge that a reader marks.

A thin bright plate that is blurred looks thicker than it is: its outer half
maximum moves into the disc, by 0.4 mm at 1 mm slices and by about 1 mm at 3 mm.
Readers mark that edge at all six keypoints. At a corner they judge it by the part
of the endplate next to the wall: on the read CT the half maximum of the inner
1.5 mm lies within 0.1 mm of the marked corner.
"""

from itertools import product

import numpy as np
from scipy.ndimage import map_coordinates

_STEP_MM = 0.1
_INWARD_MM, _OUTWARD_MM = 2.5, 4.0
_LIMITS_MM = (-0.3, 1.8)  #: a larger shift is another edge
#: The profile is a mean across this; at a corner across what lies behind it.
_STRIP_MM = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])
_CORNER_STRIP_MM = np.array([0.0, 0.5, 1.0, 1.5])
_LEAST_CONTRAST_HU = 40.0
_MIDDLE = 1  #: of anterior, middle, posterior


def apparent_keypoints(
    image: np.ndarray, keypoints_mm: np.ndarray, body: int, step_mm: float
) -> np.ndarray:
    """Keypoints of one body on the edges that the image shows.

    Args:
        image: (rows, columns) HU, blurred as the scanner does, without noise.
        keypoints_mm: (n, 3, 2, 2) of the whole column, true outer edges, in the
            image's frame.
        body: which of the n.
        step_mm: size of a pixel.

    Returns:
        (3, 2, 2) mm; every point moved along its own segment.
    """
    shown: np.ndarray = keypoints_mm[body].copy()
    for column, side in product(range(3), range(2)):
        own = keypoints_mm[body, column, side]
        outward = _unit(own - keypoints_mm[body, column, 1 - side])
        neighbour = body + (1 if side else -1)
        room = _OUTWARD_MM
        if 0 <= neighbour < len(keypoints_mm):
            facing = keypoints_mm[neighbour, column, 1 - side]
            room = min(room, float(np.linalg.norm(facing - own)) / 2)
        strip = own + _strip(keypoints_mm[body, :, side], column)
        shown[column, side] = own + _edge_shift(image, strip, outward, room, step_mm) * outward
    return shown


def _strip(endplate_mm: np.ndarray, column: int) -> np.ndarray:
    """Offsets (n, 2) along an endplate (3, 2) across which its edge is judged."""
    if column == _MIDDLE:
        return np.asarray(_STRIP_MM[:, None] * _unit(endplate_mm[2] - endplate_mm[0]))
    inward = _unit(endplate_mm[_MIDDLE] - endplate_mm[column])
    return np.asarray(_CORNER_STRIP_MM[:, None] * inward)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def _edge_shift(
    image: np.ndarray, strip_mm: np.ndarray, outward: np.ndarray, room_mm: float, step_mm: float
) -> float:
    """Distance outward of the half maximum from a strip (n, 2), mm; 0 if there is no edge."""
    along = np.arange(-_INWARD_MM, room_mm + _STEP_MM, _STEP_MM)
    places = strip_mm + along[:, None, None] * outward
    pixels = np.moveaxis(places[..., ::-1] / step_mm, -1, 0)
    profile = map_coordinates(image, pixels, order=1, mode="nearest", prefilter=False).mean(1)
    edge = int(np.searchsorted(along, 0.0))
    inner = profile[: edge + round(0.5 / _STEP_MM)]
    peak = int(inner.argmax())
    outer = float(profile[edge:].min())
    if inner[peak] - outer < _LEAST_CONTRAST_HU:
        return 0.0
    below = np.flatnonzero(profile[peak:] < (inner[peak] + outer) / 2)
    if len(below) == 0:
        return 0.0
    return float(np.clip(along[peak + below[0]] - _STEP_MM / 2, *_LIMITS_MM))
