"""Draws the neural arches, spinous and transverse processes of a `Spine`.

Sizes run through the levels (0 = C2 ... 22 = L5) as in Panjabi et al. 1991,
1992 and Gray's Anatomy (slopes of the spinous processes).
"""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import SolidVertebra, Spine
from vfnode.training.synthetic.shapes import Matter, paint_chain
from vfnode.training.synthetic.vertebra3d import canal_size_mm
from vfnode.training.synthetic.voxel_canvas import Canvas

# Level positions: C2 0, C5 3, C7 5, T1 6, T4 9, T8 13, T11 16, T12 17, L1 18, L5 22.
_AT = np.array([0, 3, 5, 6, 9, 13, 16, 17, 18, 20, 22.0])
_SPINOUS_LENGTH_MM = np.array([16, 16, 30, 30, 28, 30, 24, 24, 26, 28, 22.0])
_SPINOUS_SLOPE_DEG = np.array([15, 25, 32, 38, 52, 60, 35, 20, 10, 6, 8.0])
_SPINOUS_RADIUS_MM = np.array([3.5, 3.2, 4, 4, 4, 4, 5, 6, 7.5, 8.5, 7.0])
_TRANSVERSE_LENGTH_MM = np.array([8, 8, 14, 24, 24, 22, 14, 10, 22, 30, 26.0])
_TRANSVERSE_BACK_MM = np.array([0, 0, 5, 12, 19, 21, 15, 9, 3, 2, 2.0])
_PEDICLE_RADIUS_MM = np.array([3, 2.6, 3, 3.6, 3, 3.4, 4.4, 4.8, 4.6, 5.4, 7.0])
_FACET_RADIUS_MM = np.array([4.5, 4.5, 4, 3.6, 3.4, 3.6, 4.4, 5, 6, 7, 7.5])


def paint_arches(canvas: Canvas, spine: Spine, look: BoneLook, rng: np.random.Generator) -> None:
    """Draw the posterior elements of all vertebrae."""
    for position, vertebra in enumerate(spine.vertebrae):
        bone = Matter(
            core_hu=float(min(look.trabecular_hu + rng.uniform(40, 200), look.cortex_hu)),
            shell_hu=look.cortex_hu,
            shell_mm=float(rng.uniform(0.8, 1.8)),
        )
        size = spine.size * float(rng.normal(1, 0.08))
        _paint_arch(canvas, vertebra, _ArchSize(position, size, look), bone)


@dataclass(frozen=True)
class _ArchSize:
    """Sizes of one arch, mm."""

    position: int  #: of the level, C2 = 0
    size: float  #: patient size
    look: BoneLook

    def thick(self, table: np.ndarray) -> float:
        return self.at(table) * self.size * self.look.arch

    def long(self, table: np.ndarray) -> float:
        return self.at(table) * self.size * self.look.process

    def at(self, table: np.ndarray) -> float:
        return float(np.interp(self.position, _AT, table))


def _paint_arch(canvas: Canvas, vertebra: SolidVertebra, size: _ArchSize, bone: Matter) -> None:
    """Both halves of one arch, and its spinous process."""
    points = vertebra.shape.keypoints_mm
    back, top = float(points[2, :, 0].mean()), float(points[2, 0, 1])
    height = float(points[2, 1, 1] - points[2, 0, 1])
    depth, half_canal = canal_size_mm(vertebra, size.look)
    pedicle_w = top + (0.5 if size.position < 6 else 0.33) * height
    roof = np.array([back + depth + 2, 0.0, pedicle_w + 0.5 * height])
    for side in (-1.0, 1.0):
        lateral = side * (half_canal + size.thick(_PEDICLE_RADIUS_MM) * 0.8)
        root = np.array([back - 4, lateral * 0.95, pedicle_w])
        joint = np.array([back + 0.5 * depth, lateral, pedicle_w + 0.1 * height])
        _paint_half(canvas, vertebra, (root, joint, roof), height, size, bone)
    slope = np.radians(size.at(_SPINOUS_SLOPE_DEG))
    length = size.long(_SPINOUS_LENGTH_MM)
    tip = roof + length * np.array([np.cos(slope), 0.0, np.sin(slope)])
    radius = size.thick(_SPINOUS_RADIUS_MM)
    _chain(canvas, vertebra, [roof, tip], radius, bone, (0.75, 1.0, 1.15))


def _paint_half(
    canvas: Canvas,
    vertebra: SolidVertebra,
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    height: float,
    size: _ArchSize,
    bone: Matter,
) -> None:
    """Pedicle, lamina, articular and transverse process of one side.

    Args:
        canvas: to be drawn on.
        vertebra: whose own frame is used.
        points: root of the pedicle, its joint with the lamina, roof of the canal.
        height: of the body's posterior wall, mm.
        size: of the arch.
        bone: matter.
    """
    root, joint, roof = points
    side = float(np.sign(joint[1]))
    facet = size.thick(_FACET_RADIUS_MM)
    _chain(canvas, vertebra, [root, joint], size.thick(_PEDICLE_RADIUS_MM), bone)
    _chain(canvas, vertebra, [joint, roof], facet * 0.8, bone)
    up = joint + np.array([2.0, side * 1.0, -0.55 * height])
    down = joint + np.array([5.0, -side * 2.0, 0.75 * height])
    _chain(canvas, vertebra, [up, joint, down], facet, bone)
    back = size.long(_TRANSVERSE_BACK_MM)
    aside = size.long(_TRANSVERSE_LENGTH_MM)
    tip = joint + np.array([back, side * aside, -0.05 * height])
    _chain(canvas, vertebra, [joint, tip], facet * 0.75, bone)


def _chain(
    canvas: Canvas,
    vertebra: SolidVertebra,
    points: list[np.ndarray],
    radius: float,
    bone: Matter,
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> None:
    paint_chain(canvas, vertebra.to_patient(np.array(points)), radius, bone, stretch)
