"""Reference readings: a list of CT, each with the curve and six keypoints a body read by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vfnode.dicom.reading.acquisition import acquisition
from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.evaluation.datasets.images import read_images
from vfnode.spine.genant import GenantGrade
from vfnode.spine.vertebra import COLUMNS, ENDS
from vfnode.spine.volume import CTVolume


@dataclass(frozen=True)
class ReadCT:
    """One entry of a case list."""

    name: str
    images: Path  #: DICOM folder or NIfTI
    reading: Reading
    tags: dict[str, str]

    def volume(self) -> CTVolume:
        """The CT, axes in canonical order."""
        return read_images(self.images)


def read_list(path: Path) -> tuple[ReadCT, ...]:
    """Entries of a case list: ``[{"reading": ..., "images": ...}]``; paths relative to the list.

    Both of these may be left out: ``kernel``, which a DICOM folder says itself, and
    ``deformities``, the true ones by a reader's judgement (``{"T6": "moderate"}``): then all
    other bodies are normal, whatever their heights.

    Raises:
        UnreadableInputError: the list or a reading is missing or of another form.
    """
    try:
        return tuple(read_entry(path.parent, entry) for entry in read_json(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableInputError(f"{path} or a reading it names lacks {error}") from error


def read_entry(folder: Path, entry: dict[str, Any]) -> ReadCT:
    """One entry of a case list in `folder`; KeyError where a field is missing."""
    data = read_json(folder / entry["reading"])
    images = folder / entry["images"]
    tags = acquisition(images) if images.is_dir() else {}
    if "kernel" in entry:
        tags["kernel"] = str(entry["kernel"])
    if "level_certain" in data:
        tags["levels as read"] = "certain" if data["level_certain"] else "uncertain"
    reading = parse_reading(data)
    if "deformities" in entry:
        reading = with_grades(reading, entry["deformities"])
    return ReadCT(data["case"], images, reading, tags)


def with_grades(reading: Reading, deformities: dict[str, str]) -> Reading:
    """The reading with a grade at every whole body: as listed, else normal."""
    ranks = {level: GenantGrade(name).rank for level, name in deformities.items()}
    bodies = tuple(
        replace(body, grade=ranks.get(body.level, 0)) if body.complete else body
        for body in reading.bodies
    )
    return replace(reading, bodies=bodies)


def parse_reading(data: dict[str, Any]) -> Reading:
    """A reading from its JSON form (patient LPS, mm); KeyError where a field is missing."""
    curve = data.get("curve_patient_mm")
    bodies = tuple(_body(vertebra) for vertebra in data["vertebrae"])
    return Reading(bodies, np.array(curve, float) if curve else None)


def _body(vertebra: dict[str, Any]) -> Body:
    named = vertebra["keypoints_patient_mm"]
    if vertebra.get("complete", True):
        points = np.array([[named[column][end] for end in ENDS] for column in COLUMNS], float)
        return Body.of_keypoints(points, vertebra["level"])
    seen = [point for pair in named.values() for point in (pair or {}).values() if point]
    centre = vertebra.get("centre_patient_mm") or np.mean(seen, 0)
    return Body(np.array(centre, float), level=vertebra["level"], complete=False)


def cases(source: str, options: Options) -> Iterator[Case]:  # noqa: ARG001 - as every adapter
    """One case a CT of the list."""
    for ct in read_list(Path(source)):

        def load(ct: ReadCT = ct) -> tuple[CTVolume, Reading]:
            return ct.volume(), ct.reading

        yield Case(ct.name, ct.name, load, tags=ct.tags)


REFERENCE = Adapter(
    "reference",
    "LIST.json",
    "Real CT against readings by hand, each with its own reading error. A reading's curve ends"
    " with the last read body, so the limits error holds what was found beyond it.",
    cases,
)
