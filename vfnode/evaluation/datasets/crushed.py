"""Uniform crush: single bodies of real CT lowered over their whole depth.

The height ratio compares a body with itself and sees nothing of it; only what the body should
be, by its neighbours and its level, shows the loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vfnode.errors import GeometryError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options
from vfnode.evaluation.datasets.reference import ReadCT, read_list
from vfnode.evaluation.datasets.semi_real import READABLE_HU
from vfnode.evaluation.readable import disc_contrast_hu
from vfnode.evaluation.warp import UNIFORM, Deformation, Warp, warp_of
from vfnode.evaluation.warp_volume import warped
from vfnode.spine.genant import GenantGrade
from vfnode.spine.volume import CTVolume, FloatArray

SHARES = (0.75, 0.6, 0.55, 0.5)  #: of the height that are left
BODIES = 2  #: of each CT, one at a time
LEVELS = (*(f"T{n}" for n in range(5, 13)), "L1", "L2", "L3", "L4")  #: Genant's, with a neighbour


def cases(source: str, options: Options) -> Iterator[Case]:  # noqa: ARG001 - as every adapter
    """One case a CT, body and share."""
    for ct in read_list(Path(source)):
        points, levels = _whole(ct.reading)
        for index in chosen(ct.volume(), points, levels):
            for share in SHARES:
                warp = _warp(points, index, share)
                if warp is None:
                    continue

                def load(ct: ReadCT = ct, index: int = index, warp: Warp = warp) -> Loaded:
                    return warped(ct.volume(), [warp]), crushed(ct.reading, index, warp)

                name = f"{ct.name} {levels[index]} to {share:g}"
                yield Case(name, ct.name, load, tags=ct.tags)


Loaded = tuple[CTVolume, Reading]


def _whole(reading: Reading) -> tuple[FloatArray, list[str]]:
    """Keypoints (n, 3, 2, 3) and levels of the whole bodies."""
    bodies = [body for body in reading.bodies if body.complete]
    points = np.array([body.keypoints_mm for body in bodies]).reshape(-1, 3, 2, 3)
    return points, [body.level for body in bodies]


def chosen(volume: CTVolume, keypoints_mm: FloatArray, levels: list[str]) -> list[int]:
    """``BODIES`` of the graded bodies that can be told from their discs, evenly spread."""
    able = [
        index
        for index, level in enumerate(levels)
        if level in LEVELS and disc_contrast_hu(volume, keypoints_mm, index).min() >= READABLE_HU
    ]
    places = np.linspace(0, len(able) - 1, BODIES + 2)[1:-1].round().astype(int)
    return sorted({able[place] for place in places}) if able else []


def _warp(keypoints_mm: FloatArray, index: int, share: float) -> Warp | None:
    """The neighbours close up as they are, as they do in patients; None for too low a body."""
    try:
        return warp_of(keypoints_mm, index, Deformation(UNIFORM, share, closing=1.0))
    except GeometryError:
        return None


def crushed(reading: Reading, index: int, warp: Warp) -> Reading:
    """The reading after the warp of one of its whole bodies, which has the grade of its share."""
    share = warp.deformation.ratio
    bodies = [_moved(body, warp) for body in reading.bodies]
    at = [place for place, body in enumerate(bodies) if body.complete][index]
    grade = GenantGrade.from_height_ratio(share).rank
    bodies[at] = replace(bodies[at], group=f"{UNIFORM} to {share:g}", grade=grade)
    curve = None if reading.curve_mm is None else warp.forward(reading.curve_mm)
    return Reading(tuple(bodies), curve)


def _moved(body: Body, warp: Warp) -> Body:
    points = None if body.keypoints_mm is None else warp.forward(body.keypoints_mm)
    return replace(body, centre_mm=warp.forward(body.centre_mm), keypoints_mm=points)


CRUSHED = Adapter(
    "crush",
    "LIST.json",
    "Real CT with one body lowered over its whole depth: no part of it is low beside another, so"
    " the height ratio must not be what shows it. The neighbours close up as they are.",
    cases,
)
