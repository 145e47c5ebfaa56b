"""Vertebral bodies with what stands between them: cortex, marrow, discs, osteophytes."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vfnode.training.synthetic.anatomy import PlacedVertebra
from vfnode.training.synthetic.plane.patient import Patient
from vfnode.training.synthetic.plane.polygon_canvas import Canvas

_ALONG = np.unique(np.concatenate([np.linspace(0, 1, 29), [0.02, 0.05, 0.95, 0.98]]))
_RIM_MM = 2.5  #: a rounded rim reaches so far from the corner
_LEAST_FOCUS_MM = 1.5  #: radius of a focus, also in a flat body
_UPRIGHT = np.linspace(0, 1, 9)
UPPER_CHEST = ("C7", "T1", "T2", "T3", "T4", "T5")  #: levels above a disc of the upper chest
_ISODENSE = 0.25  #: share of these discs
_BRIDGED = 0.7  #: share of the discs behind a flowing bridge


@dataclass(frozen=True)
class BodyPatch:
    """Coordinates on a body: f from anterior to posterior, g from superior to inferior."""

    placed: PlacedVertebra
    #: (2,) anterior, posterior: how far the rim is rounded off beside the labelled corner
    rounding_mm: tuple[float, float] = (0.0, 0.0)

    def points(self, f: np.ndarray, g: np.ndarray) -> np.ndarray:
        """(n, 2) mm, column frame; g 0 and 1 lie exactly on the labelled endplates."""
        shape = self.placed.shape
        upper, lower = shape.endplate(0, f), shape.endplate(1, f)
        points = upper + g[:, None] * (lower - upper)
        points[:, 1] += (1 - 2 * g) * self._rim_drop(f)
        waist = 4 * g * (1 - g)
        front, back = shape.wall_concavity_mm
        points[:, 0] += waist * front * np.clip(1 - f / 0.35, 0, 1)
        points[:, 0] -= waist * back * np.clip(1 - (1 - f) / 0.35, 0, 1)
        return self.placed.to_column(points)

    def _rim_drop(self, f: np.ndarray) -> np.ndarray:
        """Inward bend of the endplate at f, mm: only next to the corners."""
        reach = _RIM_MM / self.depth_mm
        front, back = (np.clip(1 - near / reach, 0, 1) ** 2 for near in (f, 1 - f))
        return np.asarray(self.rounding_mm[0] * front + self.rounding_mm[1] * back)

    def ring(self, f: tuple[float, float], g: tuple[float, float]) -> np.ndarray:
        """Closed outline of the part between two f and two g."""
        # A V-shaped endplate is only drawn through its label if that is a vertex.
        middles = [self.placed.shape.middle_fraction(side) for side in (0, 1)]
        across = np.unique(np.clip(np.concatenate([_ALONG, middles]), f[0], f[1]))
        down = g[0] + _UPRIGHT[1:-1] * (g[1] - g[0])
        sides = [
            self.points(across, np.full_like(across, g[0])),
            self.points(np.full_like(down, f[1]), down),
            self.points(across[::-1], np.full_like(across, g[1])),
            self.points(np.full_like(down, f[0]), down[::-1]),
        ]
        return np.concatenate(sides)

    def blob(self, f: float, g: float, radius_mm: tuple[float, float]) -> np.ndarray:
        """Ellipse round a place on the body, column frame."""
        turn = np.linspace(0, 2 * np.pi, 17)[:-1]
        circle = np.stack([np.cos(turn) * radius_mm[0], np.sin(turn) * radius_mm[1]], -1)
        return np.asarray(circle + self.points(np.array([f]), np.array([g])))

    @property
    def depth_mm(self) -> float:
        keypoints = self.placed.shape.keypoints_mm
        return float(np.linalg.norm(keypoints[2] - keypoints[0], axis=-1).mean())

    @property
    def height_mm(self) -> float:
        return float(self.placed.shape.heights_mm.mean())


def draw_body(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, body: BodyPatch, label: int
) -> None:
    """Cortex, marrow and what may lie in it; the outline is the labelled one."""
    cortex = patient.cortical_hu * rng.normal(1, 0.1)
    outline = canvas.natural(body.ring((0, 1), (0, 1)))
    # Walls are thinner and fainter than endplates on most CT.
    canvas.fill(outline, cortex * rng.uniform(0.35, 1.0) + 60 * patient.coarse, label=label)
    thick = rng.uniform(0.7, 1.4, 4)
    f_in = patient.wall_mm / body.depth_mm * thick[:2]
    g_in = patient.endplate_mm / body.height_mm * thick[2:]
    for g in ((0.0, float(g_in[0])), (1 - float(g_in[1]), 1.0)):
        canvas.fill(canvas.natural(body.ring((0, 1), g)), cortex * rng.uniform(0.8, 1.2))
    inner = canvas.natural(
        body.ring((float(f_in[0]), 1 - float(f_in[1])), (float(g_in[0]), 1 - float(g_in[1])))
    )
    trabecular = patient.trabecular_hu * rng.normal(1, 0.08)
    if body.placed.shape.kind != "none" and rng.random() < 0.4:
        trabecular += rng.uniform(20, 220)  # a fresh fracture is denser
    marrow = trabecular + patient.marrow_texture_hu * (patient.fine + 0.4 * patient.coarse)
    canvas.fill(inner, marrow)
    _draw_bands(canvas, rng, body, trabecular)
    _draw_notch(canvas, rng, body, trabecular)
    if rng.random() < 0.12:
        _draw_schmorl(canvas, rng, patient, body, cortex)
    if rng.random() < 0.06:
        draw_focus(canvas, rng, body)


def _draw_bands(
    canvas: Canvas, rng: np.random.Generator, body: BodyPatch, trabecular_hu: float
) -> None:
    """Sclerosis under the endplates, fracture lines across the body."""
    for edge in (0.0, 1.0):
        if rng.random() < 0.35:
            depth = rng.uniform(0.08, 0.3)
            f = np.sort(rng.uniform(0, 1, 2)) if rng.random() < 0.5 else np.array([0.03, 0.97])
            g = (edge + 0.02, edge + depth) if edge == 0 else (edge - depth, edge - 0.02)
            strength = trabecular_hu + rng.uniform(40, 300)
            canvas.fill(
                canvas.natural(body.ring((float(f[0]), float(f[1])), g)),
                strength,
                rng.uniform(0.3, 0.9),
            )
    if body.placed.shape.kind != "none" and rng.random() < 0.3:
        g0 = rng.uniform(0.15, 0.8)
        band = body.ring((0.04, float(rng.uniform(0.5, 0.96))), (g0, g0 + rng.uniform(0.03, 0.1)))
        canvas.fill(canvas.natural(band), trabecular_hu + rng.uniform(-120, 300), 0.7)


def _draw_notch(
    canvas: Canvas, rng: np.random.Generator, body: BodyPatch, trabecular_hu: float
) -> None:
    """Basivertebral vein: a gap in the posterior wall and a darker channel before it."""
    if rng.random() < 0.5:
        return
    g = rng.uniform(0.42, 0.58)
    half = rng.uniform(0.04, 0.12)
    f = np.array([1.02, rng.uniform(0.5, 0.85), 1.02])
    points = body.points(f, np.array([g - half, g, g + half]))
    canvas.fill(canvas.natural(points), min(trabecular_hu, 60) - 20, rng.uniform(0.5, 1))


def _draw_schmorl(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, body: BodyPatch, cortex_hu: float
) -> None:
    """A node of disc in an endplate with a dense rim; the labels stay on the endplate."""
    edge = float(rng.integers(2))
    f = float(rng.choice([rng.uniform(0.15, 0.38), rng.uniform(0.62, 0.85)]))
    radius = (rng.uniform(1.5, 4), rng.uniform(1.5, 4))
    deep = 0.7 * radius[1] / body.height_mm
    g = deep * 0.3 if edge == 0 else 1 - deep * 0.3
    rim = (radius[0] + 0.8, radius[1] + 0.8)
    outline = canvas.natural(body.ring((0, 1), (0, 1)))
    found = canvas.mask(outline)
    if found is None:
        return
    box, inside = found
    before = canvas.hu[box].copy()
    canvas.fill(canvas.natural(body.blob(f, g, rim)), cortex_hu * 0.8, 0.8)
    canvas.fill(canvas.natural(body.blob(f, g, radius)), patient.disc_hu)
    # Clipped to the body: a node must not eat into the disc or the neighbour.
    canvas.hu[box] = before + (canvas.hu[box] - before) * (inside > 0.99)


def draw_focus(canvas: Canvas, rng: np.random.Generator, body: BodyPatch) -> None:
    """Haemangioma, metastasis, bone island, cement or a screw."""
    f, g = rng.uniform(0.2, 0.8, 2)
    limit = max(_LEAST_FOCUS_MM, 0.35 * body.height_mm)
    radius = (rng.uniform(2, limit + 2), rng.uniform(_LEAST_FOCUS_MM, limit))
    level = float(rng.choice([-50, 40, 700, rng.uniform(1200, 2800)], p=[0.2, 0.3, 0.3, 0.2]))
    canvas.fill(canvas.natural(body.blob(float(f), float(g), radius)), level, rng.uniform(0.6, 1))


def draw_disc(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    above: BodyPatch,
    below: BodyPatch,
) -> None:
    """Disc between two bodies: annulus bulge, vacuum, calcification, bony bridge."""
    f = np.linspace(0.02, 0.98, 15)
    bulge = rng.uniform(-0.5, 1.5)
    upper = above.points(f, np.ones_like(f))
    lower = below.points(f[::-1], np.zeros_like(f))
    front = (upper[0] + lower[-1]) / 2 - [bulge, 0]
    back = (upper[-1] + lower[0]) / 2 + [0.5 * bulge, 0]
    outline = np.concatenate([upper, back[None], lower, front[None]])
    canvas.fill(canvas.natural(outline), _disc_hu(rng, patient, above) + 10 * patient.coarse)
    kind = rng.choice(["plain", "vacuum", "calcified", "fused"], p=[0.83, 0.07, 0.07, 0.03])
    if kind == "plain":
        return
    a, b = np.sort(rng.uniform(0.05, 0.95, 2))
    g = np.sort(rng.uniform(0, 1, 2))
    part = np.linspace(a, max(b, a + 0.15), 8)
    top, bottom = above.points(part, np.ones_like(part)), below.points(part, np.zeros_like(part))
    inner = np.concatenate([top + g[0] * (bottom - top), (top + g[1] * (bottom - top))[::-1]])
    level = {"vacuum": -300.0, "calcified": 350.0, "fused": patient.trabecular_hu + 60}[str(kind)]
    canvas.fill(canvas.natural(inner), level * rng.uniform(0.5, 1.5), rng.uniform(0.5, 1))


def _disc_hu(rng: np.random.Generator, patient: Patient, above: BodyPatch) -> float:
    """The patient's; in the upper chest, where shoulders blur it, often as dense as the marrow."""
    if above.placed.shape.level in UPPER_CHEST and rng.random() < _ISODENSE:
        return float(patient.trabecular_hu * rng.uniform(0.85, 1.15))
    return float(patient.disc_hu + rng.normal(0, 8))


def draw_osteophytes(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, body: BodyPatch
) -> None:
    """Beaks at the corners, outside the labelled outline."""
    shape = body.placed.shape
    for corner, f in ((0, 0.0), (1, 1.0)):
        for edge, g in ((0, 0.0), (1, 1.0)):
            length = shape.osteophytes_mm[corner, edge] * patient.osteophyte_share
            if length < 0.8:
                continue
            out = -1.0 if corner == 0 else 1.0
            tip = shape.keypoints_mm[2 * corner, edge] + length * np.array(
                [out, (1 if edge else -1) * rng.uniform(-0.3, 0.6)]
            )
            wall = np.abs(g - np.array([0.0, rng.uniform(0.1, 0.4)]))
            base = body.points(np.full(2, f + 0.06 * -out), wall)
            polygon = np.concatenate([base[:1], body.placed.to_column(tip[None]), base[1:]])
            canvas.fill(canvas.natural(polygon), rng.uniform(0.4, 1) * patient.cortical_hu)


def draw_flowing_bridge(
    canvas: Canvas, rng: np.random.Generator, patient: Patient, bodies: list[BodyPatch]
) -> None:
    """Flowing ossification in front of several bodies, as in DISH; discs on the way may bridge."""
    walls = [body.points(np.full(3, -0.01), np.array([0.1, 0.5, 0.9])) for body in bodies]
    line = np.concatenate(walls)
    thick = rng.uniform(1.0, 5.0, len(line))
    front = line - np.stack([thick, np.zeros(len(line))], -1)
    canvas.fill(
        canvas.natural(np.concatenate([line, front[::-1]])),
        rng.uniform(0.3, 0.8) * patient.cortical_hu,
    )
    for above, below in pairwise(bodies):
        if rng.random() < _BRIDGED:
            draw_bridged_disc(canvas, rng, patient, above, below)


def draw_bridged_disc(
    canvas: Canvas,
    rng: np.random.Generator,
    patient: Patient,
    above: BodyPatch,
    below: BodyPatch,
) -> None:
    """Osteophytes of two facing front corners grown together: neither corner is seen.

    The labels stay on the endplates, where their lines would meet the front wall.
    """
    f = np.array([rng.uniform(0.02, 0.25), -0.01, -0.01])
    g = np.array([0.0, 0.0, rng.uniform(0.1, 0.4)])
    upper, lower = above.points(f, 1 - g), below.points(f, g)
    out = np.array([[-rng.uniform(1.0, 7.0), 0.0]])
    front = np.linspace(upper[2], lower[2], 5)[1:-1] + out * [[0.7], [1.0], [0.7]]
    outline = np.concatenate([upper, front, lower[::-1]])
    shell = rng.uniform(0.4, 1.0) * patient.cortical_hu
    canvas.fill(canvas.natural(outline), shell)
    if rng.random() < 0.5:  # an old bridge has marrow of its own
        middle = outline.mean(0)
        inner = middle + rng.uniform(0.4, 0.75) * (outline - middle)
        canvas.fill(canvas.natural(inner), patient.trabecular_hu * rng.uniform(0.8, 1.3))
