"""A whole synthetic sagittal image: patient, column, tissues and labels, drawn as one scene."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vfnode.training.synthetic.anatomy import LEVELS, Column, sample_column, sample_deformities
from vfnode.training.synthetic.plane.bone import (
    BodyPatch,
    draw_body,
    draw_bridged_disc,
    draw_disc,
    draw_flowing_bridge,
    draw_osteophytes,
)
from vfnode.training.synthetic.plane.patient import Patient, sample_patient
from vfnode.training.synthetic.plane.polygon_canvas import Canvas
from vfnode.training.synthetic.plane.posterior import (
    draw_atlas,
    draw_posterior,
    draw_rib_heads,
    draw_sacrum,
)
from vfnode.training.synthetic.plane.sagittal_curve import curve_through
from vfnode.training.synthetic.plane.tissue import Extent, draw_back, draw_front

GENERATOR_VERSION = "6"
_BRIDGED_DISCS = 0.06  #: share, in a patient with the usual osteophytes


@dataclass(frozen=True)
class SagittalSample:
    """An image with the truth about it; mm from the centre of pixel (0, 0)."""

    hu: np.ndarray  #: (rows, columns) float32
    labels: np.ndarray  #: (rows, columns) uint8: 1 + index of the body, 0 elsewhere
    keypoints_mm: np.ndarray  #: (n, 3, 2, 2) ant/mid/post x superior/inferior x (x, z)
    levels: tuple[str, ...]
    step_mm: float


def draw_straightened(rng: np.random.Generator, shape: tuple[int, int]) -> SagittalSample:
    """A straightened sagittal image at 1 mm, as the detector sees it.

    A natural column is unrolled along its curve, so bodies are distorted as
    `vfnode.spine.straighten` distorts them. The curve runs in the middle column.
    """
    column = _random_column(rng, deformed=0.5)
    curve = curve_through(column, rng, error_mm=float(rng.choice([0.4, 1.2, 2.5])))
    centres = curve.to_unrolled(np.array([v.centre_mm for v in column.vertebrae]))
    start = _window_start(rng, centres[:, 1], shape[0])
    canvas = Canvas(
        shape, 1.0, np.array([-(shape[1] - 1) / 2, start]), curve.to_unrolled, lambda points: points
    )
    return _draw(canvas, rng, column, centres)


def draw_natural(rng: np.random.Generator, step_mm: float = 0.5) -> SagittalSample:
    """The whole column with its natural curvature, as a planar reformat shows it."""
    fraction = rng.uniform(0.25, 0.95) if rng.random() < 0.85 else 0.0
    column = _random_column(rng, deformed=float(fraction))
    curve = curve_through(column, rng, error_mm=0.3)
    keypoints = np.array([v.keypoints_mm for v in column.vertebrae]).reshape(-1, 2)
    low = keypoints.min(0) - np.array([30, 35])
    high = keypoints.max(0) + np.array([50, 35])
    shape = (int((high[1] - low[1]) / step_mm), int((high[0] - low[0]) / step_mm))
    canvas = Canvas(shape, step_mm, low, lambda points: points, curve.to_natural)
    centres = curve.to_unrolled(np.array([v.centre_mm for v in column.vertebrae]))
    return _draw(canvas, rng, column, centres)


def _random_column(rng: np.random.Generator, deformed: float) -> Column:
    return sample_column(
        rng,
        LEVELS,
        curvature=float(rng.uniform(0.5, 1.3)),
        deformities=sample_deformities(rng, LEVELS, deformed),
    )


def _window_start(rng: np.random.Generator, arc_mm: np.ndarray, rows: int) -> float:
    """Arc length of the first row: a chest CT in most images, any part in the others."""
    if rng.random() < 0.6:
        first = int(rng.integers(LEVELS.index("C5"), LEVELS.index("T3")))
        return float(arc_mm[first] - rng.uniform(0, 15))
    return float(rng.uniform(arc_mm[0] - 50, max(arc_mm[-1] + 60 - rows, arc_mm[0])))


def _draw(
    canvas: Canvas, rng: np.random.Generator, column: Column, centres: np.ndarray
) -> SagittalSample:
    patient = sample_patient(rng, (canvas.hu.shape[0], canvas.hu.shape[1]), canvas.step_mm)
    bodies = [BodyPatch(vertebra, _rounding(rng)) for vertebra in column.vertebrae]
    extent = Extent(
        centres[:, 1],
        np.array([body.depth_mm / 2 for body in bodies]),
        (centres[LEVELS.index("T1"), 1], centres[LEVELS.index("T12"), 1]),
    )
    canal_mm = float(rng.uniform(12, 19))
    draw_front(canvas, rng, patient, extent)
    draw_back(canvas, rng, patient, extent, canal_mm)
    draw_sacrum(canvas, rng, patient, column.vertebrae[-1])
    draw_atlas(canvas, rng, patient, column.vertebrae[0])
    _draw_bones(canvas, rng, patient, bodies, canal_mm)
    placed = np.array([canvas.natural(body.placed.keypoints_mm) for body in bodies])
    return SagittalSample(
        canvas.hu,
        canvas.labels,
        placed - canvas.origin_mm,
        tuple(body.placed.shape.level for body in bodies),
        canvas.step_mm,
    )


def _rounding(rng: np.random.Generator) -> tuple[float, float]:
    """Rims are rounded, more in front; readers mark where the endplate's line would end."""
    return float(rng.uniform(0, 0.9)), float(rng.uniform(0, 0.5))


def _draw_bones(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    bodies: list[BodyPatch],
    canal_mm: float,
) -> None:
    for index, body in enumerate(bodies):
        off = patient.off_midline(index / len(bodies))
        draw_posterior(canvas, rng, patient, body, canal_mm, off)
    for above, below in pairwise(bodies):
        draw_disc(canvas, rng, patient, above, below)
    for index, body in enumerate(bodies):
        draw_osteophytes(canvas, rng, patient, body)
        draw_body(canvas, rng, patient, body, index + 1)
        thoracic = body.placed.shape.level.startswith("T")
        if thoracic and patient.off_midline(index / len(bodies)) > 10:
            draw_rib_heads(canvas, rng, patient, body)
    if patient.bridging:
        first = int(rng.integers(3, len(bodies) - 6))
        bridged = bodies[first : first + int(rng.integers(3, 10))]
        draw_flowing_bridge(canvas, rng, patient, bridged)
    for above, below in pairwise(bodies):
        if rng.random() < patient.osteophyte_share * _BRIDGED_DISCS:
            draw_bridged_disc(canvas, rng, patient, above, below)
