"""The report for archives that refuse Comprehensive 3D SR: 2D coordinates on the picture.

Made from the objects as they were written, only when a destination asks for it: the same
content with SCOORD in place of SCOORD3D, which neither Comprehensive nor Enhanced SR may hold.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from vfnode.dicom.checks.result_set import CheckedObject, ResultSet, children
from vfnode.dicom.checks.rules import require_sound
from vfnode.dicom.results.output_files import RESULT_NAME, file_of
from vfnode.dicom.uids import derive_uid
from vfnode.errors import ResultError, fault_of_installation
from vfnode.spine.vertebra import COLUMNS, ENDS

#: SOP class -> what it may be replaced by, best first.
FALLBACKS = {Comprehensive3DSRStorage: (ComprehensiveSRStorage, EnhancedSRStorage)}
MEASUREMENTS, HEIGHT = "126010", "121207"


def flat_report(folder: Path, sop_class_uid: str) -> Dataset:
    """The report of a results folder as another SOP class of FALLBACKS; checked.

    A study that was not evaluated has no coordinates and changes its SOP class only.

    Args:
        folder: with the report, the annotated picture and result.json.

    Raises:
        ResultError: an object is missing, or the new one fails its check.
    """
    try:
        return _flat_report(folder, sop_class_uid)
    except (OSError, ValueError, AttributeError, LookupError, InvalidDicomError) as error:
        if fault_of_installation(error):
            raise
        what = type(error).__name__  # a message may quote what stands in the objects
        raise ResultError(f"no report without 3D coordinates: {what}") from error


def _flat_report(folder: Path, sop_class_uid: str) -> Dataset:
    report = pydicom.dcmread(folder / file_of("report"))
    picture = pydicom.dcmread(folder / file_of("picture"), defer_size=1024)
    result = json.loads((folder / RESULT_NAME).read_text("utf-8"))
    _rename(report, sop_class_uid)
    if result["vertebrae"]:
        _flatten(report, picture, result)
    name = f"report.{sop_class_uid}"
    pictures = (CheckedObject(file_of("picture"), picture),)
    require_sound(ResultSet((CheckedObject(name, report), *pictures), None))
    return report


def flat_uid(sop_instance_uid: str, sop_class_uid: str) -> str:
    """UID of the report with this UID as another SOP class; the same each time."""
    return derive_uid("flat report", sop_instance_uid, sop_class_uid)


def _rename(report: Dataset, sop_class_uid: str) -> None:
    report.SOPInstanceUID = flat_uid(str(report.SOPInstanceUID), sop_class_uid)
    report.SOPClassUID = sop_class_uid
    report.file_meta.MediaStorageSOPClassUID = sop_class_uid
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID


def _flatten(report: Dataset, picture: Dataset, result: dict[str, Any]) -> None:
    """Put the line of each height where it is drawn."""
    groups = children(report, MEASUREMENTS)[0].ContentSequence
    for vertebra, group in zip(result["vertebrae"], groups[1:], strict=True):
        points = vertebra["keypoints_sagittal_mm"]
        seen = [column for column in COLUMNS if vertebra["heights_mm"][column] is not None]
        for column, item in zip(seen, children(group, HEIGHT), strict=True):
            ends_mm = np.array([points[column][end] for end in ENDS])
            for index, child in enumerate(item.ContentSequence):
                if child.ValueType == "SCOORD3D":
                    pixels = _to_pixels(ends_mm, result["picture"])
                    item.ContentSequence[index] = _line(child, pixels, picture)


def _to_pixels(xz_mm: np.ndarray, place: dict[str, Any]) -> list[float]:
    """Columns and rows from the upper left corner of the picture (PS3.3 C.18.6.1.1)."""
    pixels = np.array(place["origin_px"]) + xz_mm / place["pixel_mm"]
    return [round(float(value), 2) for value in pixels.ravel()]


def _line(old: Dataset, pixels: list[float], picture: Dataset) -> Dataset:
    reference, image, line = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID = picture.SOPClassUID
    reference.ReferencedSOPInstanceUID = picture.SOPInstanceUID
    image.RelationshipType, image.ValueType = "SELECTED FROM", "IMAGE"
    image.ReferencedSOPSequence = [reference]
    line.RelationshipType, line.ValueType = old.RelationshipType, "SCOORD"
    line.ConceptNameCodeSequence = old.ConceptNameCodeSequence
    line.GraphicType, line.GraphicData = "POLYLINE", pixels
    line.ContentSequence = [image]
    return line
