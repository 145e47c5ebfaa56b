"""Semi-real cases: every real CT of a case list, deformed several times by known amounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vfnode.errors import GeometryError
from vfnode.evaluation.cases import UNDEFORMED, Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options
from vfnode.evaluation.datasets.reference import ReadCT, read_list
from vfnode.evaluation.readable import disc_contrast_hu
from vfnode.evaluation.warp import KINDS, Deformation, Warp, warp_of
from vfnode.evaluation.warp_volume import warped
from vfnode.spine.volume import CTVolume, FloatArray

LOWEST_RATIO, HIGHEST_RATIO = 0.35, 0.9  #: asked for, drawn uniformly
CHOSEN_SHARE = 0.8  #: of the bodies that could be chosen
LEAST_CLOSING = 0.6  #: of a lost height; discs that widen by more are not seen in patients
READABLE_HU = 20.0  #: endplates are at least so much denser than the discs beside them


@dataclass(frozen=True)
class Drawing:
    """Kinds of deformation that are drawn from."""

    kinds: tuple[str, ...] = KINDS


def deformed(ct: ReadCT, seed: tuple[int, ...]) -> tuple[CTVolume, Reading]:
    """Deform some whole bodies of a listed CT; see `deform`."""
    return deform(ct.volume(), ct.reading, seed)


def deform(
    volume: CTVolume, reading: Reading, seed: tuple[int, ...], drawing: Drawing = Drawing()
) -> tuple[CTVolume, Reading]:
    """Deform some whole bodies of a CT, never neighbours; kind, size and endplates are drawn.

    A body that cannot take what was drawn for it (already lower, or too low) stays as it is.

    Returns:
        The warped CT, and the reading that went through the same warps.
    """
    rng = np.random.default_rng(seed)
    bodies, curve = reading.bodies, reading.curve_mm
    whole = [i for i, body in enumerate(bodies) if body.complete]
    points = np.array([_keypoints(bodies[i]) for i in whole])
    groups, warps = [UNDEFORMED] * len(whole), []
    for chosen in choose(volume, points, rng):
        deformation = draw(rng, drawing)
        try:
            warp = warp_of(points, chosen, deformation)
        except GeometryError:
            continue
        points = warp.forward(points)
        curve = None if curve is None else warp.forward(curve)
        warps.append(warp)
        groups[chosen] = deformation.kind
    read = dict(zip(whole, zip(points, groups, strict=True), strict=True))
    return warped(volume, warps), Reading(
        tuple(
            Body.of_keypoints(read[i][0], body.level, read[i][1])
            if i in read
            else replace(body, centre_mm=_pushed(body.centre_mm, warps))
            for i, body in enumerate(bodies)
        ),
        curve,
    )


def _pushed(point_mm: FloatArray, warps: Sequence[Warp]) -> FloatArray:
    """Point (3,) after the warps."""
    for warp in warps:
        point_mm = warp.forward(point_mm)
    return point_mm


def choose(volume: CTVolume, keypoints_mm: FloatArray, rng: np.random.Generator) -> list[int]:
    """Bodies to deform: every second or third of those whose endplates can be told from discs."""
    chosen: list[int] = []
    free = int(rng.integers(2))
    for index in range(len(keypoints_mm)):
        if index < free or rng.random() > CHOSEN_SHARE:
            continue
        if disc_contrast_hu(volume, keypoints_mm, index).min() >= READABLE_HU:
            chosen.append(index)
            free = index + 2
    return chosen


def draw(rng: np.random.Generator, drawing: Drawing) -> Deformation:
    """A random deformation, mild to severe, of one or both endplates."""
    return Deformation(
        kind=str(rng.choice(drawing.kinds)),
        ratio=float(rng.uniform(LOWEST_RATIO, HIGHEST_RATIO)),
        superior_share=float(rng.choice([1.0, 0.0, 0.5], p=[0.4, 0.2, 0.4])),
        sharpness=float(rng.uniform(0.5, 2.0)),
        closing=float(rng.uniform(LEAST_CLOSING, 1.0)),
    )


def _keypoints(body: Body) -> FloatArray:
    assert body.keypoints_mm is not None
    return body.keypoints_mm


def cases(source: str, options: Options) -> Iterator[Case]:
    """``options.rounds`` cases a CT of the list; the patient is the real CT."""
    for number, ct in enumerate(read_list(Path(source))):
        for turn in range(options.rounds):

            def load(
                ct: ReadCT = ct, seed: tuple[int, ...] = (options.seed, number, turn)
            ) -> tuple[CTVolume, Reading]:
                return deformed(ct, seed)

            yield Case(f"{ct.name} #{turn + 1}", ct.name, load, tags=ct.tags)


SEMI_REAL = Adapter(
    "semi-real",
    "LIST.json",
    "Real CT whose vertebral bodies were deformed by a smooth warp of known size: real texture,"
    " computed truth. No fracture line, no sclerosis, no change of the spine's course. Bodies"
    " beside discs as dense as bone are left as they are: nobody could read the result.",
    cases,
)
