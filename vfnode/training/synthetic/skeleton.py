"""Draws ribs, sternum, shoulder girdle, arms, skull with C1, pelvis and sacrum.

None of these is a target of the localiser: they are what it must not take for
the column. The ribs carry the names of the levels. Positions in vertebral levels
(C2 = 0, T1 = 6, L1 = 18, L5 = 22); rib slopes and lengths after Gray's Anatomy,
pelvis after published CT means.
"""

import numpy as np

from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import Spine
from vfnode.training.synthetic.shapes import (
    Matter,
    mirrored,
    paint_chain,
    paint_ellipsoid,
    turned,
)
from vfnode.training.synthetic.trunk import TrunkShape
from vfnode.training.synthetic.voxel_canvas import Canvas, FloatArray

_FIRST_RIB = 6  # position of T1
#: Pairs of ribs; lumbar ribs and missing twelfth ribs after Aly et al., Am J Neuroradiol 2016.
_PAIRS, _PAIRS_SHARE = (11, 12, 13), (0.03, 0.92, 0.05)
_LONG_PAIRS = 10  #: the pairs below end freely


def paint_skeleton(
    canvas: Canvas,
    spine: Spine,
    trunk: TrunkShape,
    look: BoneLook,
    rng: np.random.Generator,
    arms_up: bool,
) -> None:
    """Draw every bone but the vertebrae C2 to L5."""
    bone = Matter(
        core_hu=float(look.trabecular_hu * rng.uniform(0.7, 1.2)),
        shell_hu=look.cortex_hu,
        shell_mm=float(rng.uniform(1.0, 2.2)),
    )
    _paint_pelvis(canvas, spine, bone, rng)
    _paint_skull(canvas, spine, bone, rng)
    _paint_shoulders(canvas, spine, trunk, bone, rng, arms_up)
    _paint_sternum(canvas, spine, trunk, bone, rng)
    slope = float(rng.uniform(2.2, 4.4))
    last = float(rng.uniform(0.5, 1.25))  # floating ribs are the ones that differ most
    for number in range(int(rng.choice(_PAIRS, p=_PAIRS_SHARE))):
        for side in (-1.0, 1.0):
            path = _rib_path(spine, trunk, number, (side, slope, last))
            radius = float(rng.uniform(3.4, 4.6) * spine.size)
            paint_chain(canvas, path, radius, bone, (0.85, 0.85, 1.35))
            _paint_cartilage(canvas, path, number, spine, trunk, rng)


def _rib_path(
    spine: Spine, trunk: TrunkShape, number: int, course: tuple[float, float, float]
) -> FloatArray:
    """Points of a rib, from its head beside the disc to its front end.

    Args:
        spine: whose vertebrae carry it.
        trunk: that it runs round.
        number: 0 for the first pair.
        course: side (1 left, -1 right), slope, and relative length of the floating ribs.
    """
    side, slope, last = course
    position = _FIRST_RIB + number
    vertebra = spine.vertebrae[position]
    half = vertebra.shape.width_mm / 2
    head = vertebra.to_patient(np.array([6.0, side * (half + 1.5), -7.0]))
    neck = vertebra.to_patient(np.array([24.0, side * (half + 12), -4.0]))
    tubercle = vertebra.to_patient(np.array([36.0, side * (half + 22), 0.0]))
    reach = np.interp(number, [0, 6, 9, 10, 11, 12], [2.3, 2.35, 2.1, 1.6, 1.0, 0.75])
    if number >= _LONG_PAIRS:
        reach = 0.62 + last * (reach - 0.62)
    drop = np.interp(number, [0, 3, 8, 11], [1.2, slope, slope * 1.15, slope * 0.9])
    points = [head, neck, tubercle]
    for angle in np.linspace(0.62, reach, 18):
        z = tubercle[2] - drop * 22 * spine.size * (angle - 0.5) / 1.4
        outline = trunk.at(z)
        middle = (outline["cavity_front"] + outline["cavity_back"]) / 2
        depth = (outline["cavity_back"] - outline["cavity_front"]) / 2 + 4
        around = np.sign([np.sin(angle), np.cos(angle)]) * np.abs(
            [np.sin(angle), np.cos(angle)]
        ) ** (2 / 2.4)
        x = outline["x"] + side * (outline["cavity_width"] + 4) * around[0]
        points.append(np.array([x, middle + depth * around[1], z]))
    return np.array(points)


def _paint_cartilage(
    canvas: Canvas,
    path: FloatArray,
    number: int,
    spine: Spine,
    trunk: TrunkShape,
    rng: np.random.Generator,
) -> None:
    if number > 8:
        return
    z = spine.z_of(9.0 + 0.75 * number)
    outline = trunk.at(z)
    end = np.array([outline["x"] + 18 * np.sign(path[-1, 0] - outline["x"]), 0, z])
    end[1] = outline["cavity_front"] - 2
    chain = np.array([path[-1], (path[-1] + end) / 2 + np.array([0, -6, 0]), end])
    paint_chain(canvas, chain, 5.0, Matter(float(rng.uniform(70, 200))))


def _paint_sternum(
    canvas: Canvas, spine: Spine, trunk: TrunkShape, bone: Matter, rng: np.random.Generator
) -> None:
    points = []
    for position in np.linspace(8.2, 15.2, 9):
        outline = trunk.at(spine.z_of(position))
        points.append([outline["x"], outline["cavity_front"] - 6, spine.z_of(position)])
    radii = np.array([9, 8.5, 7, 6.5, 6.5, 6.5, 6.5, 5, 3]) * spine.size
    paint_chain(canvas, np.array(points), radii, bone, (2.3, 0.75, 1.0))
    if rng.random() < 0.12:  # sternal wires
        for point in points[1:7]:
            wire = np.array(point) + np.array([[-5, -7, 2], [5, -7, -2]])
            paint_chain(canvas, wire, 1.2, Matter(3000))


def _paint_shoulders(
    canvas: Canvas,
    spine: Spine,
    trunk: TrunkShape,
    bone: Matter,
    rng: np.random.Generator,
    arms_up: bool,
) -> None:
    """Clavicles, scapulae, humeri."""
    size = spine.size
    x, y, z = spine.at(7.0)
    front = trunk.at(spine.z_of(8.5))["cavity_front"]
    back = trunk.at(spine.z_of(10.5))["cavity_back"]
    shoulder = np.array([x + 155 * size, y - 5, z + (45 if arms_up else 0) * size])
    medial = np.array([x + 22 * size, front - 2, spine.z_of(8.0)])
    blade = np.array([x + 100 * size, back - 2, spine.z_of(9.8) + (12 if arms_up else 0)])
    turn = turned(2, 35 + rng.uniform(0, 15)) @ turned(1, 12)
    hang = np.array([-25.0, -30, 250]) if arms_up else np.array([18.0, 4, -260])
    hang = hang + rng.normal(0, 18, 3)
    for flip in (False, True):
        points = np.array([medial, blade, shoulder, shoulder + hang])
        axes = turn * [-1, 1, 1] if flip else turn
        _paint_arm(canvas, mirrored(points, x) if flip else points, axes, size, bone)


def _paint_arm(
    canvas: Canvas, points: FloatArray, axes: FloatArray, size: float, bone: Matter
) -> None:
    """One clavicle, scapula and humerus.

    Args:
        canvas: to be drawn on.
        points: (4, 3) medial end of the clavicle, middle of the blade, shoulder, elbow.
        axes: (3, 3) directions of the blade: across, through, along.
        size: patient size.
        bone: matter of all three.
    """
    medial, blade, shoulder, elbow = points
    out = np.array([np.sign(shoulder[0] - medial[0]), 1.0, 1.0])
    limb = np.array([shoulder + out * [8, 0, 0], elbow])
    paint_chain(canvas, limb, np.array([50.0, 40]) * size, Matter(50, -95, 8))
    bend = medial * 0.55 + shoulder * 0.45 + np.array([0, -14, 4])
    clavicle = np.array([medial, bend, shoulder + out * [-18, 0, 10]])
    paint_chain(canvas, clavicle, 6.0 * size, bone)
    paint_ellipsoid(canvas, blade, np.array([48, 4.5, 75]) * size, bone, axes)
    ridge = np.array(
        [blade + out * [-30, 12, 28], blade + out * [30, 10, 45], shoulder + out * [0, 12, 12]]
    )
    paint_chain(canvas, ridge, 6.0 * size, bone)
    neck = np.array([blade + out * [38, -8, 30], shoulder])
    paint_chain(canvas, neck, 9.0 * size, bone)
    paint_ellipsoid(canvas, shoulder + out * [6, 0, 0], np.full(3, 23.0 * size), bone)
    paint_chain(canvas, limb, 11.5 * size, Matter(-30, bone.shell_hu, 4.5))


def _paint_skull(canvas: Canvas, spine: Spine, bone: Matter, rng: np.random.Generator) -> None:
    """Skull, jaw and the atlas above C2."""
    size = spine.size
    atlas = spine.at(-0.55)
    ring = [
        atlas + size * np.array([24 * np.sin(a), 10 - 22 * np.cos(a), 0])
        for a in np.linspace(0, 2 * np.pi, 13)
    ]
    paint_chain(canvas, np.array(ring), 5.0 * size, bone)
    for side in (-1, 1):
        paint_ellipsoid(canvas, atlas + np.array([side * 20, 4, 0]), [9, 11, 9], bone)
    head = atlas + size * np.array([0, -14, 92])
    paint_ellipsoid(canvas, head, np.array([76, 96, 76]) * size, Matter(35, bone.shell_hu, 6))
    base = atlas + size * np.array([0, -30, 24])
    paint_ellipsoid(canvas, base, np.array([48, 55, 10]) * size, bone)
    for side in (-1, 1):
        jaw = atlas + size * np.array(
            [[side * 48, -20, 12], [side * 46, -30, -28], [side * 14, -82, -42]]
        )
        paint_chain(canvas, jaw, 6.0 * size, bone)
        teeth = atlas + size * np.array([[side * 30, -62, -24], [side * 6, -84, -24]])
        paint_chain(canvas, teeth, 6.0, Matter(float(rng.uniform(900, 2500))))
    throat = np.array([spine.at(p) + np.array([0, -28, 0]) for p in np.arange(-1.5, 4.0)])
    paint_chain(canvas, throat, 7.0, Matter(-950), (1.4, 0.8, 1))


def _paint_pelvis(canvas: Canvas, spine: Spine, bone: Matter, rng: np.random.Generator) -> None:
    """Iliac wings, acetabula, femoral heads, pubis and ischium."""
    size = spine.size * rng.normal(1, 0.05)
    x, y, z = spine.at(22.6)
    joint = np.array([x + 52 * size, y + 40, z - 35 * size])
    wing = np.array([x + 92 * size, y - 2, z - 12 * size])
    hip = np.array([x + 92 * size, y - 22 * size, z - 110 * size])
    turn = turned(2, 52) @ turned(1, 22)
    metal = rng.random() < 0.06
    for flip in (False, True):

        def place(points: FloatArray, flip: bool = flip) -> FloatArray:
            return mirrored(points, x) if flip else np.asarray(points, float)

        axes = turn * [-1, 1, 1] if flip else turn
        paint_ellipsoid(canvas, place(wing), np.array([68, 5.5, 62]) * size, bone, axes)
        paint_chain(
            canvas, place(np.array([joint, joint + np.array([10, -22, -45]), hip])), 13 * size, bone
        )
        paint_ellipsoid(canvas, place(hip), np.full(3, 31.0 * size), bone)
        head = Matter(3000) if metal else bone
        paint_ellipsoid(canvas, place(hip + np.array([3, 0, -2])), np.full(3, 23.0 * size), head)
        femur = np.array([hip, hip + np.array([48, 8, -38]), hip + np.array([50, 0, -200])])
        paint_chain(canvas, place(femur), np.array([17, 18, 14.0]) * size, head)
        pubis = np.array([hip, np.array([x + 8, hip[1] - 52 * size, hip[2] - 22 * size])])
        paint_chain(canvas, place(pubis), 9 * size, bone)
        ischium = np.array(
            [hip, hip + np.array([-22, 38 * size, -60 * size]), pubis[1] + np.array([6, 10, -20])]
        )
        paint_chain(canvas, place(ischium), 11 * size, bone)
