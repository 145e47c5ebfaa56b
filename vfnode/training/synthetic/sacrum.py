"""Draws the sacrum: five fused bodies that tilt backwards, their wings, the coccyx.

The upper segments look much like lumbar bodies, which is why they are drawn with
the same code: the localiser must learn to stop above them. Inclination about 40
degrees, sizes after published CT means.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from vfnode.training.synthetic.body import VertebraShape
from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import SolidVertebra, Spine
from vfnode.training.synthetic.shapes import Matter, paint_chain, paint_ellipsoid
from vfnode.training.synthetic.vertebra3d import paint_body, paint_disc
from vfnode.training.synthetic.voxel_canvas import Canvas

_HEIGHT_MM = (30.0, 25.0, 21.0, 18.0, 16.0, 13.0, 9.0)
_DEPTH_MM = (33.0, 25.0, 19.0, 15.0, 11.0, 9.0, 7.0)
_WIDTH_MM = (50.0, 38.0, 30.0, 26.0, 22.0, 16.0, 10.0)
_WING_MM = (34.0, 28.0, 20.0, 14.0, 9.0, 0.0, 0.0)


def paint_sacrum(canvas: Canvas, spine: Spine, look: BoneLook, rng: np.random.Generator) -> None:
    """Draw sacrum and coccyx below L5, with the lumbosacral disc."""
    above = spine.vertebrae[-1]
    segments = _segments(spine, rng)
    bone = Matter(0.7 * look.trabecular_hu, look.cortex_hu, 1.5)
    paint_disc(canvas, above, segments[0], look, (look.disc_hu, look.disc_hu))
    for upper, lower in pairwise(segments):
        remnant = (look.trabecular_hu + 60, float(rng.uniform(40, 250)))
        paint_disc(canvas, upper, lower, look, remnant)
    for segment, wing in zip(segments, _WING_MM, strict=True):
        if wing > 0:
            _paint_wing(canvas, segment, wing * spine.size, bone)
        paint_body(canvas, segment, look, rng)


def _segments(spine: Spine, rng: np.random.Generator) -> list[SolidVertebra]:
    """Seven bodies below L5, bending backwards and then forwards."""
    last = spine.vertebrae[-1]
    size = spine.size * rng.normal(1, 0.05)
    bottom = last.shape.keypoints_mm[:, 1].mean(0)
    joint = last.to_patient(np.array([bottom[0], 0.0, bottom[1] + rng.uniform(5, 12)]))
    angle = np.radians(rng.uniform(25, 58))
    segments = []
    for height, depth, width in zip(_HEIGHT_MM, _DEPTH_MM, _WIDTH_MM, strict=True):
        posterior = np.array([0.0, np.cos(angle), np.sin(angle)])
        caudal = np.array([0.0, np.sin(angle), -np.cos(angle)])
        axes = np.stack([posterior, [1.0, 0.0, 0.0], caudal], 1)
        centre = joint + caudal * height * size / 2
        segments.append(SolidVertebra(_shape(last, height, depth, width, size), centre, axes))
        joint = centre + caudal * (height * size / 2 + 1.5)
        angle += np.radians(rng.uniform(-14, 4) if len(segments) > 2 else rng.uniform(0, 12))
    return segments


def _shape(
    last: SolidVertebra, height: float, depth: float, width: float, size: float
) -> VertebraShape:
    half = np.array([depth, height]) * size / 2
    corners = np.array([[[-1, -1], [-0.75, 1]], [[0, -0.95], [0, 0.95]], [[1, -1], [0.75, 1]]])
    return replace(
        last.shape,
        keypoints_mm=corners * half,
        width_mm=width * size,
        osteophytes_mm=np.zeros((2, 2)),
    )


def _paint_wing(canvas: Canvas, segment: SolidVertebra, reach_mm: float, bone: Matter) -> None:
    half = np.ptp(segment.shape.keypoints_mm[..., 1]) / 2
    for side in (-1.0, 1.0):
        lateral = side * (segment.shape.width_mm / 2 + 0.3 * reach_mm)
        centre = segment.to_patient(np.array([6.0, lateral, 0.0]))
        radii = [0.35 * reach_mm + 4, 0.85 * reach_mm, half * 1.05]
        paint_ellipsoid(canvas, centre, radii, bone, segment.axes.T)
    back = segment.shape.keypoints_mm[2, 0, 0]
    crest = np.array([[back + 16, 0, -0.5 * half], [back + 18, 0, 0.6 * half]])
    paint_chain(canvas, segment.to_patient(crest), 4.5, bone)
    for side in (-1.0, 1.0):
        lamina = np.array([[back, side * 16, 0], [back + 15, side * 4, 0]])
        paint_chain(canvas, segment.to_patient(lamina), 3.5, bone)
