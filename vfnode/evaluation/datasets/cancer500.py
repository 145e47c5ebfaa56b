"""Cancer500: the published annotation, expert against expert, or analysis against experts.

The CT are not published: a site that has them puts each beside its annotation, as a DICOM folder
of the same name.

Zakharov, Pisov et al., Med Image Anal 83 (2023), repository neuro-ml/anchor-free-genant. One
JSON file a CT: ``Annotation`` holds for each expert a list of bodies, each with its ``type``
(Th1, L2, ...) and ``segments``: anterior, middle, posterior, each a superior and an inferior
point in voxels along (anterior to posterior, right to left, cranial to caudal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from vfnode.dicom.reading.acquisition import acquisition
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import CTVolume, FloatArray

#: The annotation gives no spacing: the paper's usual slices and pixels, mm.
ASSUMED_SPACING_MM = np.array([0.75, 0.75, 0.8])


ToPatient = Callable[[FloatArray], FloatArray]  #: (posterior, left, caudal) voxels -> LPS mm


def readings(annotation: dict[str, Any], to_patient: ToPatient) -> dict[str, Reading]:
    """Each expert's reading that has at least two bodies."""
    found = {}
    for expert, vertebrae in annotation.items():
        bodies = [b for vertebra in vertebrae if (b := _body(vertebra, to_patient)) is not None]
        bodies.sort(key=lambda body: -body.centre_mm[2])
        if len(bodies) > 1:
            centres = np.array([body.centre_mm for body in bodies])
            found[expert] = Reading(tuple(bodies), SpineCurve.from_points(centres).points_mm)
    return found


def _body(vertebra: dict[str, Any], to_patient: ToPatient) -> Body | None:
    """One body; None where the marks are not three segments of a length."""
    points = np.array(vertebra["segments"], float)
    if points.shape != (3, 2, 3):
        return None
    level = str(vertebra.get("type", "unknown")).replace("Th", "T")
    try:
        return Body.of_keypoints(to_patient(points), level)
    except GeometryError:
        return None


def assumed(voxels: FloatArray) -> FloatArray:
    """LPS mm as far as spacing is known."""
    posterior, left, caudal = np.moveaxis(voxels * ASSUMED_SPACING_MM, -1, 0)
    return np.stack([left, posterior, -caudal], -1)


def in_volume(volume: CTVolume, voxels: FloatArray) -> FloatArray:
    """LPS mm in the CT that was annotated, axes in canonical order."""
    return volume.to_patient(voxels[..., [2, 0, 1]])


def cases(source: str, options: Options) -> Iterator[Case]:  # noqa: ARG001 - as every adapter
    """Without CT every ordered pair of experts; with CT every expert of every CT that is there.

    Raises:
        UnreadableInputError: no annotation in the folder, or of another form.
    """
    with_ct = has_ct(source)
    for path in _files(Path(source)):
        annotation = _annotation(path)
        if not with_ct:
            yield from _pairs(path.stem, readings(annotation, assumed))
        elif path.with_suffix("").is_dir():
            yield from _against_experts(path, annotation)


def expert_readings(folder: Path) -> list[list[Reading]]:
    """The readings of each annotated CT, one an expert; spacing assumed.

    Raises:
        UnreadableInputError: no annotation in the folder, or of another form.
    """
    return [list(readings(_annotation(path), assumed).values()) for path in _files(folder)]


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UnreadableInputError(f"{folder} holds no annotation (*.json)")
    return files


def has_ct(source: str) -> bool:
    """True if a CT lies beside at least one annotation."""
    return any(path.with_suffix("").is_dir() for path in Path(source).glob("*.json"))


def _annotation(path: Path) -> dict[str, Any]:
    try:
        annotation: dict[str, Any] = read_json(path)["Annotation"]
        readings(annotation, assumed)
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableInputError(f"{path} is no annotation: {error}") from error
    return annotation


def _pairs(name: str, experts: dict[str, Reading]) -> Iterator[Case]:
    """One expert is the truth, the other is measured."""
    for truth, other in permutations(sorted(experts), 2):
        yield Case(f"{name} {truth}/{other}", name, readers=(experts[truth], experts[other]))


def _against_experts(path: Path, annotation: dict[str, Any]) -> Iterator[Case]:
    """Each expert is the truth once."""
    folder = path.with_suffix("")
    tags = acquisition(folder)
    for expert in sorted(readings(annotation, assumed)):

        def load(expert: str = expert) -> tuple[CTVolume, Reading]:
            volume = read_ct_series([folder])[0].volume.canonical()
            return volume, readings(annotation, partial(in_volume, volume))[expert]

        yield Case(f"{path.stem} {expert}", path.stem, load, tags=tags)


CANCER500 = Adapter(
    "cancer500",
    "FOLDER",
    "The paper's own annotation. Without CT: expert against expert, what people reach; spacing is"
    " not published, 0.75 mm pixels and 0.8 mm slices are assumed, so lengths are approximate. With"
    " the CT, as DICOM folders named as the annotations: the analysis against each expert. The"
    " curves join the experts' body centres.",
    cases,
    needs_models=has_ct,
)
