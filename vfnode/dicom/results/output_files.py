"""The files of one result, by the names that settings use."""

from __future__ import annotations

import json
from pathlib import Path

from vfnode.spine.genant import GenantGrade

RESULT_NAME = "result.json"
#: The DICOM outputs (vfnode.dicom.results.outputs) as settings name them -> their files.
OBJECT_FILES = {
    "report": "report.sr.dcm",
    "picture": "sagittal.sc.dcm",
    "plain_picture": "sagittal-plain.sc.dcm",
    "projection": "projection.sc.dcm",
    "key_objects": "pictures.ko.dcm",
}
POSITIVE = {GenantGrade.MODERATE.value, GenantGrade.SEVERE.value}


def holds_fracture(folder: Path) -> bool:
    """Whether the result in a folder reports a moderate or severe fracture."""
    patient = json.loads((folder / RESULT_NAME).read_text("utf-8")).get("patient") or {}
    return patient.get("grade") in POSITIVE
