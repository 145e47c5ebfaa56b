"""Rules for resampled planes: where they lie, and that all of a plane is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import CheckedObject, ResultSet

BYTES_PER_PIXEL = 2
SAME_MM = 0.01
RIGHT_ANGLE = 1e-4  #: greatest cosine between two axes that are perpendicular


def planes(results: ResultSet) -> Findings:
    """Planes are parallel and even, lie in the CT's frame of reference, and are complete."""
    for checked in results.reformats:
        yield from ((checked.name, text) for text in _plane_findings(checked, results))
    spacing = [
        float(checked.dataset.get("SpacingBetweenSlices") or 0) for checked in results.reformats
    ]
    steps = np.diff([_place_mm(checked) for checked in results.reformats])
    if len(steps) and np.abs(steps - spacing[0]).max() > SAME_MM:
        yield "the set", "planes do not lie SpacingBetweenSlices apart"


def _plane_findings(checked: CheckedObject, results: ResultSet) -> Iterator[str]:
    dataset = checked.dataset
    frames = results.ct.frame_of_reference_uids if results.ct else frozenset()
    if frames and str(dataset.get("FrameOfReferenceUID", "")) not in frames:
        yield "FrameOfReferenceUID is not that of the CT"
    row, column = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    if abs(row @ column) > RIGHT_ANGLE:
        yield "rows and columns are not perpendicular"
    wanted = int(dataset.get("Rows", 0)) * int(dataset.get("Columns", 0)) * BYTES_PER_PIXEL
    if len(dataset.get("PixelData", b"")) != wanted:
        yield "PixelData has not the length that rows and columns ask for"


def _place_mm(checked: CheckedObject) -> float:
    """Along the first axis across the planes, to the patient's left."""
    row, column = np.array(checked.dataset.ImageOrientationPatient, float).reshape(2, 3)
    return float(np.array(checked.dataset.ImagePositionPatient, float) @ np.cross(column, row))
