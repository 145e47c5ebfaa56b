"""Disease of the column and what surgeons leave in it: sampled once, drawn over the vertebrae.

Bridges of diffuse hyperostosis, fused levels, sclerotic endplates, Schmorl's nodes, metastases,
screws with rods. Labels stay on the endplates: a node or a metastasis does not move them. Shares
of patients are far above those of a hospital, so that a network meets each often enough.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import SolidVertebra, Spine
from vfnode.training.synthetic.shapes import Matter, paint_chain, paint_ellipsoid
from vfnode.training.synthetic.voxel_canvas import Canvas, FloatArray

METAL = Matter(3000.0)
_NODE_SHARE, _PLATE_SHARE, _FUSED_SHARE = 0.05, 0.15, 0.03  #: of endplates, of endplates, of discs


@dataclass(frozen=True)
class Ailments:
    """Ailments of one patient's column; positions count from C2 = 0."""

    bridge: tuple[int, int] | None = None  #: first and last body of an ossified ligament
    fused: frozenset[int] = frozenset()  #: discs below these bodies are bone
    dense_plates: frozenset[tuple[int, int]] = frozenset()  #: (body, 0 superior or 1 inferior)
    nodes: frozenset[tuple[int, int]] = frozenset()  #: Schmorl's, the same
    metastases: tuple[tuple[int, float], ...] = ()  #: body and density, HU
    rods: tuple[int, int] | None = None  #: first and last body with screws


HEALTHY = Ailments()


def sample_ailments(rng: np.random.Generator, bodies: int) -> Ailments:
    """Random disease; most patients have little of it."""
    worn = rng.random() < 0.5
    plates = [(body, end) for body in range(1, bodies) for end in (0, 1)]
    ill = rng.random() < 0.06
    return Ailments(
        bridge=_run(rng, bodies, 4, 10) if rng.random() < 0.12 else None,
        fused=frozenset(
            body for body in range(1, bodies - 1) if worn and rng.random() < _FUSED_SHARE
        ),
        dense_plates=frozenset(p for p in plates if worn and rng.random() < _PLATE_SHARE),
        nodes=frozenset(p for p in plates if worn and rng.random() < _NODE_SHARE),
        metastases=tuple(
            (int(body), float(rng.choice([rng.uniform(-10, 50), rng.uniform(450, 1000)])))
            for body in rng.integers(1, bodies, int(rng.integers(1, 6)) if ill else 0)
        ),
        rods=_run(rng, bodies, 2, 5) if rng.random() < 0.03 else None,
    )


def _run(rng: np.random.Generator, bodies: int, shortest: int, longest: int) -> tuple[int, int]:
    """First and last of some consecutive bodies below C4."""
    length = int(rng.integers(shortest, longest + 1))
    first = int(rng.integers(3, bodies - length))
    return first, first + length - 1


def paint_ailments(
    canvas: Canvas, spine: Spine, look: BoneLook, ailments: Ailments, rng: np.random.Generator
) -> None:
    """Draw them over bodies and arches."""
    bodies = spine.vertebrae
    for above in sorted(ailments.fused):
        _paint_fusion(canvas, bodies[above], bodies[above + 1], look)
    for body, end in sorted(ailments.dense_plates):
        _paint_plate(canvas, bodies[body], end, look, rng)
    for body, end in sorted(ailments.nodes):
        _paint_node(canvas, bodies[body], end, look, rng)
    for body, hu in ailments.metastases:
        _paint_metastasis(canvas, bodies[body], hu, rng)
    if ailments.bridge is not None:
        first, last = ailments.bridge
        _paint_bridge(canvas, bodies[first : last + 1], look, rng)
    if ailments.rods is not None:
        first, last = ailments.rods
        _paint_rods(canvas, bodies[first : last + 1], rng)


def _own(vertebra: SolidVertebra, posterior: float, left: float, caudal: float) -> FloatArray:
    return vertebra.to_patient(np.array([posterior, left, caudal]))


def _middle(vertebra: SolidVertebra, end: int) -> FloatArray:
    """Middle of an endplate in the own frame: posterior, left, caudal."""
    posterior, caudal = vertebra.shape.keypoints_mm[1, end]
    return np.array([posterior, 0.0, caudal])


def _depth(vertebra: SolidVertebra) -> float:
    points = vertebra.shape.keypoints_mm
    return float(np.linalg.norm(points[2] - points[0], axis=-1).mean())


def _paint_fusion(
    canvas: Canvas, above: SolidVertebra, below: SolidVertebra, look: BoneLook
) -> None:
    """Marrow through the disc; its rim stays."""
    upper = above.to_patient(_middle(above, 1))
    lower = below.to_patient(_middle(below, 0))
    gap = float(np.linalg.norm(lower - upper))
    radii = np.array([0.36 * _depth(above), 0.36 * above.shape.width_mm, gap / 2 + 2])
    paint_ellipsoid(
        canvas, (upper + lower) / 2, radii, Matter(look.trabecular_hu + 40), above.axes.T
    )


def _paint_plate(
    canvas: Canvas, vertebra: SolidVertebra, end: int, look: BoneLook, rng: np.random.Generator
) -> None:
    """Dense bone just inside an endplate."""
    inward = 1.0 if end == 0 else -1.0
    thick = float(rng.uniform(1.0, 2.5))
    aside = rng.normal(0, 2, 2)
    centre = _middle(vertebra, end) + np.array([*aside, inward * (thick + 0.6)])
    radii = np.array([0.38 * _depth(vertebra), 0.36 * vertebra.shape.width_mm, thick])
    dense = Matter(look.trabecular_hu + float(rng.uniform(120, 350)))
    paint_ellipsoid(canvas, vertebra.to_patient(centre), radii, dense, vertebra.axes.T)


def _paint_node(
    canvas: Canvas, vertebra: SolidVertebra, end: int, look: BoneLook, rng: np.random.Generator
) -> None:
    """Disc that has broken into a body beside the middle of its endplate, with a dense rim."""
    inward = 1.0 if end == 0 else -1.0
    radius = float(rng.uniform(1.8, 4.0))
    aside = float(rng.choice([-1, 1]) * rng.uniform(4.0, 8.0))
    offset = np.array([aside, rng.normal(0, 3), inward * 0.7 * radius])
    centre = _middle(vertebra, end) + offset
    node = Matter(look.disc_hu, look.cortex_hu * 0.7, 0.9)
    paint_ellipsoid(canvas, vertebra.to_patient(centre), np.full(3, radius), node)


def _paint_metastasis(
    canvas: Canvas, vertebra: SolidVertebra, hu: float, rng: np.random.Generator
) -> None:
    """A lytic or sclerotic focus inside the body."""
    height = float(vertebra.shape.heights_mm.min())
    limit = np.array([0.33 * _depth(vertebra), 0.33 * vertebra.shape.width_mm, 0.36 * height])
    radii = limit * rng.uniform(0.4, 1.0, 3)
    centre = vertebra.shape.keypoints_mm.mean((0, 1))
    aside = (limit - radii) * rng.uniform(-1, 1, 3)
    place = np.array([centre[0], 0.0, centre[1]]) + aside
    paint_ellipsoid(canvas, vertebra.to_patient(place), radii, Matter(hu), vertebra.axes.T)


def _paint_bridge(
    canvas: Canvas, bodies: tuple[SolidVertebra, ...], look: BoneLook, rng: np.random.Generator
) -> None:
    """Flowing bone in front of the bodies, a little to the right, away from the aorta."""
    points, radii = [], []
    for vertebra in bodies:
        front = vertebra.shape.keypoints_mm[0]
        right = -float(rng.uniform(2, 9))
        thick = float(rng.uniform(2.0, 4.5))
        for posterior, caudal in (front[0], front.mean(0), front[1]):
            points.append(_own(vertebra, float(posterior) - 0.4 * thick, right, float(caudal)))
            radii.append(thick)
    # Between two bodies it bulges over the disc.
    widths = np.array(radii)
    widths[2::3] += 1.0
    bone = Matter(look.trabecular_hu + 60, 0.7 * look.cortex_hu, 1.2)
    paint_chain(canvas, np.array(points), widths, bone, (1.6, 1.0, 1.0))


def _paint_rods(
    canvas: Canvas, bodies: tuple[SolidVertebra, ...], rng: np.random.Generator
) -> None:
    """A screw through each pedicle and a rod on each side behind them."""
    radius = float(rng.uniform(2.2, 3.2))
    for side in (-1.0, 1.0):
        heads = []
        for vertebra in bodies:
            back = float(vertebra.shape.keypoints_mm[2, :, 0].mean())
            aside = 0.32 * vertebra.shape.width_mm + 2.0
            head = _own(vertebra, back + 24.0, side * (aside + 3.0), -2.0)
            tip = _own(vertebra, back - 0.6 * _depth(vertebra), side * 0.4 * aside, 1.0)
            paint_chain(canvas, np.array([head, tip]), radius, METAL)
            heads.append(head)
        for ends in pairwise(heads):
            paint_chain(canvas, np.array(ends), 2.8, METAL)
