"""Bone behind and beyond the bodies: spinous processes, laminae, pedicles, sacrum, atlas."""

import numpy as np

from vfnode.training.synthetic.anatomy import LEVELS, PlacedVertebra
from vfnode.training.synthetic.plane.bone import BodyPatch
from vfnode.training.synthetic.plane.patient import Patient
from vfnode.training.synthetic.plane.polygon_canvas import Canvas

#: Spinous process at some levels: slope below the horizontal (degrees), length, thickness (mm).
_SPINOUS = {
    "C2": (15, 20, 10), "C3": (10, 14, 6), "C5": (14, 15, 6), "C6": (17, 20, 7), "C7": (22, 30, 8),
    "T2": (36, 33, 8), "T4": (47, 35, 9), "T7": (58, 38, 9), "T9": (48, 36, 10),
    "T11": (24, 30, 13), "T12": (15, 29, 17), "L1": (9, 29, 20), "L3": (7, 31, 23),
    "L4": (7, 29, 20), "L5": (12, 22, 14),
}  # fmt: skip
_KNOWN = np.array([LEVELS.index(level) for level in _SPINOUS])
_VALUES = np.array(list(_SPINOUS.values()), float)


def _shelled(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    points_mm: np.ndarray,
    shell_mm: float,
) -> None:
    """Bone with a dense shell, column frame; the inside is the outline shrunk to its middle."""
    dense = patient.cortical_hu * rng.uniform(0.6, 1.2)
    centre = points_mm.mean(0)
    reach = np.linalg.norm(points_mm - centre, axis=1).mean()
    inner = centre + (points_mm - centre) * max(0.1, 1 - shell_mm / reach)
    canvas.fill(canvas.natural(points_mm), dense)
    marrow = (
        patient.trabecular_hu * rng.uniform(0.5, 1.5) + patient.marrow_texture_hu * patient.fine
    )
    canvas.fill(canvas.natural(inner), marrow)


def _box(
    start: np.ndarray, direction: np.ndarray, length: float, widths: tuple[float, float]
) -> np.ndarray:
    """Tapering quadrilateral with rounded far end, column frame."""
    across = np.array([-direction[1], direction[0]])
    end = start + length * direction
    return np.array(
        [
            start - across * widths[0] / 2,
            end - across * widths[1] / 2,
            end + direction * widths[1] * 0.25,
            end + across * widths[1] / 2,
            start + across * widths[0] / 2,
        ]
    )


def draw_posterior(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    body: BodyPatch,
    canal_mm: float,
    off_midline_mm: float,
) -> None:
    """Draw the part of the plane behind the canal, by its distance from the midline."""
    placed = body.placed
    index = LEVELS.index(placed.shape.level)
    usual = [float(np.interp(index, _KNOWN, column)) for column in _VALUES.T]
    slope, length, thick = (value * rng.normal(1, 0.12) for value in usual)
    back = placed.shape.keypoints_mm[2].mean(0)
    root = back + np.array([canal_mm + rng.uniform(1, 4), rng.uniform(0.0, 0.35) * body.height_mm])
    shell = rng.uniform(0.6, 1.5)
    direction = np.array([np.cos(np.radians(slope)), np.sin(np.radians(slope))])
    if off_midline_mm < 4 + rng.normal(0, 0.7):
        process = _box(root, direction, length, (thick, thick * rng.uniform(0.7, 1.3)))
        _shelled(canvas, rng, patient, placed.to_column(process), shell)
        return
    lamina = _box(
        root - [3, 6], np.array([0.35, 0.94]), rng.uniform(14, 24) * body.height_mm / 22, (6, 7)
    )
    _shelled(canvas, rng, patient, placed.to_column(lamina), shell)
    if off_midline_mm > 8 + rng.normal(0, 1):
        _draw_pedicle(canvas, rng, patient, body, canal_mm)


def _draw_pedicle(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, body: BodyPatch, canal_mm: float
) -> None:
    """Bridge from the upper half of the body to the lamina, and the joint behind it."""
    placed = body.placed
    top, bottom = placed.shape.keypoints_mm[2]
    start = top + rng.uniform(0.25, 0.42) * (bottom - top) - [1.5, 0]
    bridge = _box(start, np.array([1.0, 0.08]), canal_mm + 6, (0.42 * body.height_mm, 8))
    _shelled(canvas, rng, patient, placed.to_column(bridge), rng.uniform(0.8, 1.6))
    joint = start + np.array([canal_mm + 4, -4])
    facet = _box(joint, np.array([0.25, 0.97]), rng.uniform(14, 22), (8, 7))
    _shelled(canvas, rng, patient, placed.to_column(facet), rng.uniform(0.8, 1.6))


def draw_rib_heads(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, body: BodyPatch
) -> None:
    """Rib head on the upper posterior corner, seen far from the midline; not a target."""
    corner = body.placed.shape.keypoints_mm[2, 0] + rng.normal([1, -1], 2)
    turn = np.linspace(0, 2 * np.pi, 13)[:-1]
    radius = rng.uniform(3, 6, 2)
    ellipse = corner + np.stack([np.cos(turn) * radius[0], np.sin(turn) * radius[1]], -1)
    _shelled(canvas, rng, patient, body.placed.to_column(ellipse), rng.uniform(0.6, 1.2))


def draw_sacrum(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, last: PlacedVertebra
) -> None:
    """Sacral bodies below L5, tilted backwards; not a target."""
    front, back = last.keypoints_mm[[0, 2], 1]
    along = (back - front) / np.linalg.norm(back - front)
    down = np.array([-along[1], along[0]])
    start = (front + back) / 2 + down * rng.uniform(7, 13)
    tilt = rng.uniform(0.3, 0.75)
    depth = float(np.linalg.norm(back - front)) * rng.uniform(0.9, 1.05)
    for length, taper in ((29, 0.68), (25, 0.7), (20, 0.75), (16, 0.8)):
        direction = down * np.cos(tilt) + along * np.sin(tilt)
        block = _box(start, direction, length * rng.normal(1, 0.06), (depth, depth * taper))[
            [0, 1, 3, 4]
        ]
        _shelled(canvas, rng, patient, block, rng.uniform(0.7, 1.6))
        start = (block[1] + block[2]) / 2 + direction * rng.uniform(0.8, 3)
        depth, tilt = depth * taper, tilt + rng.uniform(0.05, 0.25)


def draw_atlas(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, axis: PlacedVertebra
) -> None:
    """Dens, arches of C1 and the skull base above C2; not targets."""
    front, back = axis.keypoints_mm[[0, 2], 0]
    top = (front + back) / 2
    dens = _box(top + np.array([0, 2]), np.array([0.05, -1.0]), rng.uniform(13, 18), (11, 9))
    _shelled(canvas, rng, patient, dens, 1.2)
    for shift, size in (((-9, -9), (3.5, 6)), ((27, -6), (4, 4.5))):
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        arch = (
            top + np.array(shift) + np.stack([np.cos(turn) * size[0], np.sin(turn) * size[1]], -1)
        )
        _shelled(canvas, rng, patient, arch, 1.2)
    clivus = _box(top + np.array([-4, -24]), np.array([-0.6, -0.8]), 40, (7, 12))
    _shelled(canvas, rng, patient, clivus, 1.5)
    occiput = _box(top + np.array([38, -20]), np.array([0.75, -0.66]), 45, (6, 8))
    _shelled(canvas, rng, patient, occiput, 1.5)
