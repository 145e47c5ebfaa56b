"""Draws heart, vessels, airway, gullet, belly organs and bowel gas.

Positions are counted in vertebral levels (C2 = 0, T1 = 6, L1 = 18, L5 = 22) and
in the trunk's own width and depth; after Gray's Anatomy, surface projections.
Densities: usual unenhanced and enhanced CT values.
"""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.column3d import Spine
from vfnode.training.synthetic.shapes import Matter, paint_chain, paint_ellipsoid, turned
from vfnode.training.synthetic.trunk import TrunkShape
from vfnode.training.synthetic.voxel_canvas import Canvas, FloatArray

_GAS_HU = -960.0


@dataclass(frozen=True)
class OrganLook:
    """Contrast phase and densities of one patient's organs."""

    artery_hu: float
    vein_hu: float
    heart_hu: float
    liver_hu: float
    kidney_hu: float
    soft_hu: float
    plaque_share: float  #: of aortic wall points that are calcified
    lower_by: float  #: levels by which this patient's organs lie lower than the mean's


def sample_organ_look(rng: np.random.Generator) -> OrganLook:
    """Without contrast, arterial or venous phase."""
    enhanced = rng.random() < 0.55
    return OrganLook(
        artery_hu=float(rng.uniform(90, 420) if enhanced else rng.uniform(28, 55)),
        vein_hu=float(rng.uniform(60, 250) if enhanced else rng.uniform(28, 55)),
        heart_hu=float(rng.uniform(70, 300) if enhanced else rng.uniform(25, 50)),
        liver_hu=float(rng.uniform(70, 130) if enhanced else rng.uniform(20, 70)),
        kidney_hu=float(rng.uniform(90, 260) if enhanced else rng.uniform(20, 40)),
        soft_hu=float(rng.uniform(20, 60)),
        plaque_share=float(max(0.0, rng.uniform(-0.2, 0.3))),
        lower_by=float(rng.normal(0, 0.7)),  # ribs, not organs, must name the levels
    )


@dataclass(frozen=True)
class _Place:
    """Finds patient points from anatomy."""

    spine: Spine
    trunk: TrunkShape
    lower_by: float

    def beside(self, level: float, left_mm: float, front_mm: float) -> FloatArray:
        """Point `left_mm` to the left and `front_mm` in front of the body's centre."""
        size = self.spine.size
        point: FloatArray = self.spine.at(level + self.lower_by) + size * np.array(
            [left_mm, -front_mm, 0.0]
        )
        return point

    def within(self, level: float, left: float, forward: float) -> FloatArray:
        """Point of the cavity: `left` -1 to 1, `forward` 0 (back) to 1 (front)."""
        z = self.spine.z_of(level + self.lower_by)
        o = self.trunk.at(z)
        x = o["x"] + left * o["cavity_width"]
        y = o["cavity_back"] + forward * (o["cavity_front"] - o["cavity_back"])
        return np.array([x, y, z])


def paint_organs(
    canvas: Canvas, spine: Spine, trunk: TrunkShape, look: OrganLook, rng: np.random.Generator
) -> None:
    """Draw all of them; the spine is drawn afterwards."""
    place = _Place(spine, trunk, look.lower_by)
    _paint_belly(canvas, place, look, rng)
    _paint_gut(canvas, place, rng)
    _paint_chest(canvas, place, look, rng)
    _paint_great_vessels(canvas, place, look, rng)
    _paint_lung_vessels(canvas, place, look, rng)
    _paint_back_muscles(canvas, place, look, rng)


def _paint_chest(canvas: Canvas, place: _Place, look: OrganLook, rng: np.random.Generator) -> None:
    """Heart with its blood, trachea and main bronchi, oesophagus."""
    size = place.spine.size * rng.normal(1, 0.1)
    heart = place.within(13.2 + rng.normal(0, 0.5), 0.22 + rng.normal(0, 0.06), 0.68)
    turn = turned(2, 35) @ turned(1, -25)
    paint_ellipsoid(canvas, heart, np.array([66, 46, 44]) * size, Matter(40, -80, 4), turn)
    paint_ellipsoid(canvas, heart, np.array([54, 35, 34]) * size, Matter(look.heart_hu), turn)
    blood = heart + np.array([18 * size, -8, 0])
    paint_ellipsoid(canvas, blood, np.array([26, 18, 20]) * size, Matter(look.heart_hu * 1.2), turn)
    front = 24 + rng.normal(0, 4)
    gullet = np.array([place.beside(p, 4 + rng.normal(0, 3), front) for p in np.arange(2, 17, 1.0)])
    paint_chain(canvas, gullet, 8.0 * size, Matter(look.soft_hu))
    if rng.random() < 0.5:
        paint_chain(canvas, gullet, rng.uniform(1, 5), Matter(_GAS_HU))
    airway = np.array([place.beside(p, rng.normal(0, 2), 34 + 1.2 * p) for p in range(2, 11)])
    paint_chain(canvas, airway, rng.uniform(7, 10) * size, Matter(_GAS_HU, look.soft_hu, 1.5))
    for side in (-1, 1):
        branch = airway[-1] + np.array([[0, 0, 0], [side * 32, 6, -28], [side * 55, 8, -60]]) * size
        paint_chain(canvas, branch, np.array([6.5, 5.5, 3.5]), Matter(_GAS_HU, look.soft_hu, 1.5))


def _paint_great_vessels(
    canvas: Canvas, place: _Place, look: OrganLook, rng: np.random.Generator
) -> None:
    """Aorta, caval veins, pulmonary trunk."""
    radius = rng.uniform(10, 17) * place.spine.size
    side = rng.uniform(14, 26)
    levels = np.arange(9.5, 21.6, 0.5)
    lateral = np.interp(levels, [9, 14, 17, 19, 22], [side + 6, side, 0.4 * side, 3, 3])
    forward = np.interp(levels, [9, 14, 17, 22], [6, 16, 28, 32])
    down = np.array(
        [
            place.beside(p, a + rng.normal(0, 1), f)
            for p, a, f in zip(levels, lateral, forward, strict=True)
        ]
    )
    arch = np.array([place.beside(9, 22, 25), place.beside(8.8, 8, 52), place.beside(9.4, -14, 66)])
    root = place.within(12.3, 0.0, 0.62)
    path = np.concatenate([[root], arch[::-1], down])
    taper = np.interp(np.arange(len(path)), [0, 5, len(path) - 1], [1.35, 1.1, 0.75]) * radius
    paint_chain(canvas, path, taper, Matter(look.artery_hu, 45, 1.5))
    for point, r in zip(path, taper, strict=True):
        if rng.random() < look.plaque_share:
            direction = rng.normal(0, 1, 3)
            spot = point + direction / np.linalg.norm(direction) * r
            paint_ellipsoid(canvas, spot, rng.uniform(1, 4, 3), Matter(700))
    cava = [place.beside(p, -22, 34) for p in np.arange(16.5, 22, 1.0)]
    paint_chain(canvas, np.array(cava), 11.0, Matter(look.vein_hu), (1.1, 0.8, 1))
    upper = [place.beside(p, -26, 50) for p in np.arange(7.5, 11.6, 1.0)]
    paint_chain(canvas, np.array(upper), 8.5, Matter(look.vein_hu))
    trunk = np.array([place.within(11.6, 0.12, 0.75), place.beside(10.8, 14, 45)])
    paint_chain(canvas, trunk, 13.0, Matter(look.artery_hu))
    across = np.array([trunk[1], place.beside(10.9, -20, 40), place.beside(11.4, -50, 30)])
    paint_chain(canvas, across, np.array([12, 11, 8.0]), Matter(look.artery_hu))


def _paint_lung_vessels(
    canvas: Canvas, place: _Place, look: OrganLook, rng: np.random.Generator
) -> None:
    """Branching pulmonary vessels, nodules and streaks of atelectasis."""
    for side in (-1.0, 1.0):
        hilum = place.beside(11, side * 38, 30)
        for _ in range(26):
            level = rng.uniform(7.5, 16)
            goal = place.within(level, side * rng.uniform(0.45, 0.9), rng.uniform(0.08, 0.85))
            bend = (hilum + goal) / 2 + rng.normal(0, 9, 3)
            path = np.array([hilum, bend, goal])
            paint_chain(canvas, path, np.array([4.5, 2.2, 0.8]), Matter(min(look.vein_hu, 150)))
            twig = goal + rng.normal(0, 14, 3)
            paint_chain(canvas, np.array([bend, twig]), np.array([1.8, 0.6]), Matter(30))
    for _ in range(int(rng.poisson(1.5))):
        centre = place.within(rng.uniform(7, 16), rng.uniform(-0.8, 0.8), rng.uniform(0.1, 0.9))
        paint_ellipsoid(canvas, centre, rng.uniform(2, 16, 3), Matter(float(rng.uniform(-300, 60))))


def _paint_belly(canvas: Canvas, place: _Place, look: OrganLook, rng: np.random.Generator) -> None:
    """Liver, spleen, stomach, kidneys, psoas."""
    size = place.spine.size * rng.normal(1, 0.08)
    liver = place.within(17.0 + rng.normal(0, 0.5), -0.45, 0.55)
    tilt = turned(1, 12)
    paint_ellipsoid(canvas, liver, np.array([82, 78, 82]) * size, Matter(look.liver_hu), tilt)
    lobe = place.within(16.6, 0.05, 0.78)
    paint_ellipsoid(canvas, lobe, np.array([75, 36, 42]) * size, Matter(look.liver_hu))
    spleen = place.within(16.5 + rng.normal(0, 0.4), 0.72, 0.2)
    paint_ellipsoid(canvas, spleen, np.array([28, 45, 52]) * size, Matter(look.liver_hu + 8))
    stomach = place.within(17, 0.42, 0.62)
    filling = float(rng.choice([25.0, _GAS_HU, 250.0], p=[0.6, 0.3, 0.1]))
    paint_ellipsoid(canvas, stomach, np.array([42, 38, 50]) * size, Matter(filling, 40, 4))
    for side in (-1.0, 1.0):
        kidney = place.beside(18.6 - 0.3 * side + rng.normal(0, 0.4), side * 58, 2)
        turn = turned(1, side * 14) @ turned(2, side * 30)
        radii = np.array([28, 24, 56]) * size
        paint_ellipsoid(canvas, kidney, radii, Matter(look.kidney_hu), turn)
        paint_ellipsoid(canvas, kidney, radii * 0.42, Matter(float(rng.uniform(-90, 40))), turn)
        if rng.random() < 0.12:
            paint_ellipsoid(canvas, kidney, rng.uniform(2, 7, 3), Matter(900))
        positions = np.arange(17.6, 26, 0.8)
        psoas = [
            place.beside(p, side * np.interp(p, [17, 22, 26], [24, 42, 62]), 4 + 2 * max(0, p - 20))
            for p in positions
        ]
        radii = np.interp(positions, [17, 19, 22, 26], [6, 13, 21, 17]) * size * rng.normal(1, 0.15)
        paint_chain(canvas, np.array(psoas), np.abs(radii), Matter(look.soft_hu + 10))


def _paint_gut(canvas: Canvas, place: _Place, rng: np.random.Generator) -> None:
    """Loops of bowel with fluid, gas or stool at random in the belly."""
    fillings = (30.0, 30.0, _GAS_HU, -300.0, 300.0)
    for _ in range(int(rng.integers(20, 60))):
        start = place.within(rng.uniform(18, 28), rng.uniform(-0.7, 0.7), rng.uniform(0.4, 0.8))
        steps = np.cumsum(rng.normal(0, 15, (4, 3)), axis=0)
        filling = float(rng.choice(fillings, p=[0.4, 0.2, 0.25, 0.1, 0.05]))
        paint_chain(canvas, start + steps, rng.uniform(8, 20), Matter(filling, 40, 2.5))


def _paint_back_muscles(
    canvas: Canvas, place: _Place, look: OrganLook, rng: np.random.Generator
) -> None:
    """Erector spinae beside the spinous processes, quadratus lumborum."""
    size = place.spine.size * rng.normal(1, 0.12)
    density = float(look.soft_hu + rng.uniform(-50, 15))  # fatty in the old
    for side in (-1.0, 1.0):
        positions = np.arange(0, 25, 1.0)
        behind = np.interp(positions, [0, 5, 13, 22], [32, 38, 46, 48])
        aside = np.interp(positions, [0, 5, 13, 22], [14, 20, 26, 30])
        radii = np.interp(positions, [0, 5, 13, 18, 24], [10, 14, 17, 24, 22]) * size
        path = [
            place.beside(p, side * a, -b) for p, a, b in zip(positions, aside, behind, strict=True)
        ]
        paint_chain(canvas, np.array(path), radii, Matter(density), (1.1, 0.8, 1))
        lumbar = np.array([place.beside(18.5, side * 60, -14), place.beside(22.5, side * 78, -12)])
        paint_chain(canvas, lumbar, 13 * size, Matter(look.soft_hu), (1.3, 0.7, 1))
