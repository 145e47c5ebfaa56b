"""Surroundings of a patient: clothing, blankets, lines on the skin."""

import numpy as np

from vfnode.training.synthetic.column3d import Spine
from vfnode.training.synthetic.shapes import Matter, paint_chain, paint_ellipsoid
from vfnode.training.synthetic.trunk import TrunkShape
from vfnode.training.synthetic.voxel_canvas import Canvas

_CLOTHED, _WIRED, _CABLED = 0.5, 0.12, 0.2  #: shares of patients


def paint_surroundings(
    canvas: Canvas, spine: Spine, trunk: TrunkShape, rng: np.random.Generator
) -> None:
    """Draw folds of cloth, fasteners of metal and cables just outside the skin."""
    if rng.random() < _CLOTHED:
        for _ in range(int(rng.integers(3, 12))):
            _paint_fold(canvas, spine, trunk, rng)
    if rng.random() < _WIRED:
        z = spine.z_of(float(rng.uniform(11, 15)))
        _paint_on_skin(canvas, trunk, z, (float(rng.uniform(1.0, 1.6)), 3000.0), rng)
    if rng.random() < _CABLED:
        z = spine.z_of(float(rng.uniform(7, 18)))
        _paint_on_skin(canvas, trunk, z, (float(rng.uniform(0.8, 1.8)), 900.0), rng)


def _paint_fold(canvas: Canvas, spine: Spine, trunk: TrunkShape, rng: np.random.Generator) -> None:
    """A fold of cloth, thin and light, in front of or beside the trunk."""
    z = spine.z_of(float(rng.uniform(4, 24)))
    outline = trunk.at(z)
    angle = float(rng.uniform(-2.2, 2.2))  # 0 is the front
    middle, half = (
        (outline["front"] + outline["back"]) / 2,
        (outline["back"] - outline["front"]) / 2,
    )
    out = float(rng.uniform(3, 10))
    centre = np.array(
        [
            outline["x"] + (outline["half_width"] + out) * np.sin(angle),
            middle - (half + out) * np.cos(angle),
            z,
        ]
    )
    cloth = Matter(float(rng.uniform(-960, -750)))
    paint_ellipsoid(canvas, centre, rng.uniform([8, 2, 15], [45, 8, 90]), cloth)


def _paint_on_skin(
    canvas: Canvas,
    trunk: TrunkShape,
    z: float,
    cord: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """A wire or cable (radius, HU) along part of the skin's front."""
    low, high = np.sort(rng.uniform(-1.4, 1.4, 2))
    points = []
    for angle in np.linspace(low, max(high, low + 0.4), 9):
        height = z + float(rng.normal(0, 3)) + 12 * np.cos(2 * angle)
        outline = trunk.at(height)
        middle, half = _depth(outline)
        x = outline["x"] + (outline["half_width"] + 2) * np.sin(angle)
        points.append(np.array([x, middle - (half + 2) * np.cos(angle), height]))
    paint_chain(canvas, np.array(points), cord[0], Matter(cord[1]))


def _depth(outline: dict[str, float]) -> tuple[float, float]:
    """Middle and half of the trunk from front to back, mm."""
    return (outline["front"] + outline["back"]) / 2, (outline["back"] - outline["front"]) / 2
