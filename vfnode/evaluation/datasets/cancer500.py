"""Cancer500's published annotation, expert against expert; the CT are not published.

Zakharov, Pisov et al., Med Image Anal 83 (2023), repository neuro-ml/anchor-free-genant. One
JSON file a CT: ``Annotation`` holds for each expert a list of bodies, each with its ``type``
(Th1, L2, ...) and ``segments``: anterior, middle, posterior, each a superior and an inferior
point in voxels along (anterior to posterior, right to left, cranial to caudal).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import FloatArray

#: The annotation gives no spacing: the paper's usual slices and pixels, mm.
ASSUMED_SPACING_MM = np.array([0.75, 0.75, 0.8])


def readings(annotation: dict[str, Any]) -> dict[str, Reading]:
    """Each expert's reading that has at least two bodies; in LPS as far as spacing is known."""
    found = {}
    for expert, vertebrae in annotation.items():
        bodies = [body for vertebra in vertebrae if (body := _body(vertebra)) is not None]
        bodies.sort(key=lambda body: -body.centre_mm[2])
        if len(bodies) > 1:
            centres = np.array([body.centre_mm for body in bodies])
            found[expert] = Reading(tuple(bodies), SpineCurve.from_points(centres).points_mm)
    return found


def _body(vertebra: dict[str, Any]) -> Body | None:
    """One body; None where the marks are not three segments of a length."""
    points = np.array(vertebra["segments"], float)
    if points.shape != (3, 2, 3):
        return None
    level = str(vertebra.get("type", "unknown")).replace("Th", "T")
    try:
        return Body.of_keypoints(_to_patient(points), level)
    except GeometryError:
        return None


def _to_patient(voxels: FloatArray) -> FloatArray:
    """(posterior, left, caudal) voxels -> LPS mm."""
    posterior, left, caudal = np.moveaxis(voxels * ASSUMED_SPACING_MM, -1, 0)
    return np.stack([left, posterior, -caudal], -1)


def cases(source: str, options: Options) -> Iterator[Case]:  # noqa: ARG001 - as every adapter
    """Every ordered pair of experts of every CT: one is the truth, the other is measured.

    Raises:
        UnreadableInputError: no annotation in the folder, or of another form.
    """
    files = sorted(Path(source).glob("*.json"))
    if not files:
        raise UnreadableInputError(f"{source} holds no annotation (*.json)")
    for path in files:
        try:
            experts = readings(read_json(path)["Annotation"])
        except (KeyError, TypeError) as error:
            raise UnreadableInputError(f"{path} is no annotation: {error}") from error
        for truth, other in permutations(sorted(experts), 2):
            pair = (experts[truth], experts[other])
            yield Case(f"{path.stem} {truth}/{other}", path.stem, readers=pair)


CANCER500 = Adapter(
    "cancer500",
    "FOLDER",
    "Expert against expert on the paper's own annotation: what people reach. Spacing is not"
    " published: 0.75 mm pixels and 0.8 mm slices are assumed, so lengths are approximate."
    " The curves join the experts' body centres.",
    cases,
    needs_models=False,
)
