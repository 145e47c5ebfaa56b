"""One round back: from measured bodies to the curve they lie on."""

from __future__ import annotations

import numpy as np

from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import FloatArray

FEWEST_BODIES = 3  #: that say more about the curve than the localiser's ends do
END_STEP_MM = 12.0  #: half a vertebra: nearer points beside a body would bend the curve


def curve_through(curve: SpineCurve, keypoints_mm: FloatArray) -> SpineCurve:
    """Pull a curve through measured bodies (n, 3, 2, 3), LPS mm, cranial to caudal.

    Through their centres where there are three or more, else through the middles of their
    endplates. Beyond the outermost bodies the curve keeps its course, shifted to join on;
    by fewer than three bodies it goes straight on, as in a small crop nothing else is known.
    """
    if len(keypoints_mm) == 0:
        return curve
    few = len(keypoints_mm) < FEWEST_BODIES
    middles = keypoints_mm.mean(1).reshape(-1, 3)  # superior, inferior, superior, ...
    nodes = middles if few else keypoints_mm.mean((1, 2))
    above, below = _ends(curve, nodes)
    if few:
        above, below = _straight_on(nodes[::-1], len(above)), _straight_on(nodes, len(below))
    parts = [above[::-1], nodes, below]
    return SpineCurve.from_points(np.concatenate(parts), curve.step_mm)


def _ends(curve: SpineCurve, nodes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of the curve above and below the nodes, every ``END_STEP_MM``, nearest first."""
    points, caudal = curve.points_mm, curve.tangents()
    above = points[np.sum((nodes[0] - points) * caudal, 1) > END_STEP_MM][::-1]
    below = points[np.sum((points - nodes[-1]) * caudal, 1) > END_STEP_MM]
    every = max(1, round(END_STEP_MM / curve.step_mm))
    return (_joined(above[::every], curve, nodes[0]), _joined(below[::every], curve, nodes[-1]))


def _joined(end: FloatArray, curve: SpineCurve, node: FloatArray) -> FloatArray:
    """Shift the points of one end, nearest first, by the offset of ``node`` to the curve."""
    nearest = curve.points_mm[np.linalg.norm(curve.points_mm - node, axis=1).argmin()]
    fading = np.clip(1.0 - np.arange(len(end)) / 4.0, 0.0, 1.0)[:, None]
    shifted: FloatArray = end + fading * (node - nearest)
    return shifted


def _straight_on(nodes: FloatArray, count: int) -> FloatArray:
    """``count`` points beyond the last node, along the last two."""
    direction = (nodes[-1] - nodes[-2]) / np.linalg.norm(nodes[-1] - nodes[-2])
    beyond: FloatArray = nodes[-1] + END_STEP_MM * np.arange(1, count + 1)[:, None] * direction
    return beyond
