"""Snapping of end points to the strongest bone edge: tried, measured, not shipped.

Each height keeps its line; either end moves along it to where bone falls off most steeply.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vfnode.evaluation.cases import Body, Reading
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.volume import CTVolume, FloatArray

REACH_MM, STEP_MM = 1.5, 0.1
EDGE_MM = (0.25, 0.5, 0.75, 1.0)  #: the edge is the mean fall of HU from so far inside to outside
PENALTY_HU = 4.0  #: for each square millimetre of the way
SLAB_MM = (-2.0, -1.0, 0.0, 1.0, 2.0)


def snapped_reading(volume: CTVolume, found: Reading) -> Reading:
    """The same bodies with their ends on the edges."""
    return replace(found, bodies=tuple(_snapped_body(volume, body) for body in found.bodies))


def _snapped_body(volume: CTVolume, body: Body) -> Body:
    assert body.keypoints_mm is not None
    points = snapped(volume, body.keypoints_mm)
    return replace(body, centre_mm=points.mean((0, 1)), keypoints_mm=points)


def snapped(volume: CTVolume, keypoints_mm: FloatArray) -> FloatArray:
    """Keypoints (3, 2, 3), LPS mm, each moved along its height by at most ``REACH_MM``."""
    left = body_rotation(keypoints_mm)[:, 1]
    outward = keypoints_mm - keypoints_mm[:, ::-1]
    outward = outward / np.linalg.norm(outward, axis=-1, keepdims=True)
    ways = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    places = keypoints_mm[..., None, :] + ways[:, None] * outward[..., None, :]
    edges = [half * outward[..., None, :] for half in EDGE_MM]
    falls = [_slab(volume, places - e, left) - _slab(volume, places + e, left) for e in edges]
    best = ways[np.argmax(np.mean(falls, 0) - PENALTY_HU * ways**2, axis=-1)]
    return np.asarray(keypoints_mm + best[..., None] * outward)


def _slab(volume: CTVolume, points_mm: FloatArray, left: FloatArray) -> FloatArray:
    layers = [volume.sample(points_mm + aside * left) for aside in SLAB_MM]
    return np.asarray(np.mean(layers, 0), float)
