"""Where an endplate seems to be: the half-maximum edge that a reader marks.

A thin bright plate that is blurred looks thicker than it is: its outer half
maximum moves into the disc, by 0.4 mm at 1 mm slices and by about 1 mm at 3 mm.
Readers mark that edge at the middle keypoints. At the corners the wall below
makes the edge a step, which blur does not move.
"""

import numpy as np
from scipy.ndimage import map_coordinates

_STEP_MM = 0.1
_INWARD_MM, _OUTWARD_MM = 2.5, 4.0
_LIMITS_MM = (-0.3, 1.8)  #: a larger shift is another edge
_STRIP_MM = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])  #: the profile is a mean across this
_LEAST_CONTRAST_HU = 40.0


def apparent_keypoints(
    image: np.ndarray, keypoints_mm: np.ndarray, body: int, step_mm: float
) -> np.ndarray:
    """Keypoints of one body with the middle ones on the edges that the image shows.

    Args:
        image: (rows, columns) HU, blurred as the scanner does, without noise.
        keypoints_mm: (n, 3, 2, 2) of the whole column, true outer edges, in the
            image's frame.
        body: which of the n.
        step_mm: size of a pixel.

    Returns:
        (3, 2, 2) mm.
    """
    shown: np.ndarray = keypoints_mm[body].copy()
    upper, lower = keypoints_mm[body, 1]
    axis = (lower - upper) / np.linalg.norm(lower - upper)
    for side, outward in ((0, -axis), (1, axis)):
        neighbour = body + (1 if side else -1)
        facing = (
            keypoints_mm[neighbour, 1, 1 - side] if 0 <= neighbour < len(keypoints_mm) else None
        )
        own = keypoints_mm[body, 1, side]
        room = _OUTWARD_MM if facing is None else float(np.linalg.norm(facing - own)) / 2
        shift = _edge_shift(image, own, outward, min(room, _OUTWARD_MM), step_mm)
        shown[1, side] = own + shift * outward
    return shown


def _edge_shift(
    image: np.ndarray, point_mm: np.ndarray, outward: np.ndarray, room_mm: float, step_mm: float
) -> float:
    """How far outward the half maximum lies from the true edge, mm; 0 where there is no edge."""
    along = np.arange(-_INWARD_MM, room_mm + _STEP_MM, _STEP_MM)
    across = np.array([-outward[1], outward[0]])
    places = point_mm + along[:, None, None] * outward + _STRIP_MM[:, None] * across
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
