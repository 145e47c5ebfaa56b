"""Soft tissue round the column, drawn along the unrolled curve: offset and arc length, mm."""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.plane.patient import Patient
from vfnode.training.synthetic.plane.polygon_canvas import Canvas
from vfnode.training.synthetic.plane.texture import wobble


@dataclass(frozen=True)
class Extent:
    """Place of the column along the unrolled curve."""

    arc_mm: np.ndarray  #: (n,) centres of the bodies
    half_depth_mm: np.ndarray  #: (n,) half the antero-posterior depth of the bodies
    thoracic_mm: tuple[float, float]  #: arc length of T1 and T12

    def wall(self, arc_mm: np.ndarray) -> np.ndarray:
        """Half depth of the column at an arc length."""
        return np.asarray(np.interp(arc_mm, self.arc_mm, self.half_depth_mm))

    def grid(self, low: float, high: float, count: int = 40) -> np.ndarray:
        """Evenly spaced arc lengths."""
        return np.linspace(low, high, count)


def _strip(
    canvas: Canvas, arc: np.ndarray, left: np.ndarray, right: np.ndarray, hu: float | np.ndarray,
    opacity: float = 1.0,
) -> None:  # fmt: skip
    points = np.concatenate(
        [np.stack([left, arc], -1), np.stack([np.broadcast_to(right, arc.shape), arc], -1)[::-1]]
    )
    canvas.fill(canvas.unrolled(points), hu, opacity)


def _ellipse(
    canvas: Canvas, centre: tuple[float, float], radius: tuple[float, float], hu: float | np.ndarray
) -> None:
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    ring = np.stack(
        [centre[0] + radius[0] * np.cos(turn), centre[1] + radius[1] * np.sin(turn)], -1
    )
    canvas.fill(canvas.unrolled(ring), hu)


def draw_front(canvas: Canvas, rng: np.random.Generator, patient: Patient, extent: Extent) -> None:
    """Mediastinum, lung, airways, vessels and abdomen before the column."""
    canvas.hu[:] = patient.muscle_hu + 12 * patient.coarse
    ends = (extent.arc_mm[0] - 160, extent.arc_mm[-1] + 160)
    arc = extent.grid(*ends, 60)
    if rng.random() < 0.8:  # fat between the organs
        near = -extent.wall(arc) - rng.uniform(2, 25) + 4 * wobble(rng, 60, 3)
        _strip(canvas, arc, near - rng.uniform(5, 60), near, patient.fat_hu + 15 * patient.coarse)
    top, bottom = extent.thoracic_mm
    for _ in range(rng.integers(2, 9)):  # organs, bowel, air pockets
        centre = (rng.uniform(-100, -28), rng.uniform(*ends))
        hu = rng.choice([patient.fat_hu, 55.0, 110.0, patient.vessel_hu, -900.0, -300.0, 20.0])
        radius = (rng.uniform(5, 40), rng.uniform(8, 60))
        _ellipse(canvas, centre, (min(radius[0], -centre[0] - 18), radius[1]), float(hu))
    if rng.random() < 0.7:
        _draw_lung(
            canvas, rng, patient, extent, top + rng.normal(10, 25), bottom + rng.normal(0, 30)
        )
    if rng.random() < 0.6:
        _draw_tube(canvas, rng, extent, (top - 90, top + rng.uniform(30, 110)), -1000, (7, 11), 22)
    if rng.random() < 0.75:
        low = top + rng.uniform(60, 160)
        _draw_tube(
            canvas, rng, extent, (low, low + rng.uniform(60, 350)), patient.vessel_hu, (9, 15), 17
        )


def _draw_lung(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    extent: Extent,
    low: float,
    high: float,
) -> None:
    arc = extent.grid(low, max(high, low + 40))
    gap = rng.choice([rng.uniform(0.5, 4), rng.uniform(4, 30)])
    edge = -extent.wall(arc) - gap - 3 * np.abs(wobble(rng, len(arc), 3))
    _strip(
        canvas,
        arc,
        edge - rng.uniform(20, 120),
        edge,
        rng.uniform(-900, -750) + 40 * patient.coarse,
    )
    for _ in range(rng.integers(0, 14)):
        centre = (float(edge.mean() - rng.uniform(4, 60)), float(rng.uniform(low, high)))
        _ellipse(canvas, centre, (rng.uniform(1, 5), rng.uniform(1, 9)), patient.vessel_hu)
    if rng.random() < 0.25:  # consolidation or effusion
        centre = (float(edge.mean() - rng.uniform(5, 25)), float(rng.uniform(low, high)))
        _ellipse(canvas, centre, (rng.uniform(8, 30), rng.uniform(10, 50)), rng.uniform(-100, 60))


def _draw_tube(
    canvas: Canvas,
    rng: np.random.Generator,
    extent: Extent,
    span: tuple[float, float],
    hu: float,
    radius: tuple[float, float],
    gap: float,
) -> None:
    """Trachea, aorta or oesophagus: a band beside the column, with a wall."""
    arc = extent.grid(*span)
    half = rng.uniform(*radius)
    centre = (
        -extent.wall(arc)
        - gap * rng.uniform(0.8, 1.3)
        - rng.uniform(0, 12)
        + 3 * wobble(rng, 40, 8)
    )
    centre = np.minimum(centre, -extent.wall(arc) - half - 2)
    if rng.random() < 0.3:
        _strip(canvas, arc, centre - half - 1, centre + half + 1, rng.uniform(60, 600))
    _strip(canvas, arc, centre - half, centre + half, hu)


def draw_back(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, extent: Extent, canal_mm: float
) -> None:
    """Canal with cord and fat, muscles, skin, air and table behind the column."""
    ends = (extent.arc_mm[0] - 160, extent.arc_mm[-1] + 160)
    arc = extent.grid(*ends, 80)
    wall = extent.wall(arc)
    behind = wall + canal_mm
    muscles = behind + rng.uniform(8, 45) + 5 * wobble(rng, 80, 10)
    skin = muscles + rng.uniform(2, 35) + 2 * wobble(rng, 80, 10)
    _strip(canvas, arc, muscles, skin + 400, patient.fat_hu + 10 * patient.coarse)
    for _ in range(rng.integers(0, 10)):  # fat between muscles
        place = (float(behind.mean() + rng.uniform(5, 35)), float(rng.uniform(*ends)))
        _ellipse(canvas, place, (rng.uniform(2, 6), rng.uniform(8, 40)), patient.fat_hu)
    _strip(canvas, arc, wall - 1, behind, rng.uniform(10, 45) + 6 * patient.coarse)
    if rng.random() < 0.6:
        cord = wall + canal_mm * rng.uniform(0.4, 0.6)
        half = rng.uniform(3, 5)
        fluid = float(rng.choice([15, rng.uniform(200, 900)], p=[0.96, 0.04]))
        _strip(canvas, arc, cord - half - 2.5, cord + half + 2.5, fluid)
        _strip(canvas, arc, cord - half, cord + half, rng.uniform(30, 50))
    for _ in range(rng.integers(4, 30)):  # epidural fat, more at the back
        place = (float(behind.mean() - rng.uniform(0, 3)), float(rng.uniform(*ends)))
        _ellipse(canvas, place, (rng.uniform(1, 3), rng.uniform(3, 10)), patient.fat_hu)
    _strip(canvas, arc, skin, skin + 2, patient.muscle_hu)
    _strip(canvas, arc, skin + 2, skin + 400, -1000)
    if rng.random() < 0.7:
        _draw_table(canvas, rng, arc, skin)


def _draw_table(
    canvas: Canvas, rng: np.random.Generator, arc: np.ndarray, skin: np.ndarray
) -> None:
    """Shell, foam, shell."""
    table = skin.max() + rng.uniform(-4, 12) + 6 * wobble(rng, 80, 30)
    table = np.maximum(table, skin + 2)
    _strip(canvas, arc, table, table + rng.uniform(1, 4), rng.uniform(-500, 200))
    _strip(canvas, arc, table + 4, table + 25, rng.uniform(-980, -850))
    _strip(canvas, arc, table + 25, table + 27, rng.uniform(-500, 200))
