"""The objects of a result: the one table that settings, destinations, node and documents read.

A new object is one module with a builder and one line in OUTPUTS. Its builder is named, not
imported: whoever reads the table does without highdicom.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from vfnode.extras import Extra

RESULT_NAME = "result.json"
# SOP classes (PS3.4 table B.5-1).
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


class When(Enum):
    """For which results a site wants an object."""

    ALWAYS = "always"
    POSITIVES = "positives"  #: only with a moderate or severe body, or a borderline one
    NEVER = "never"


@dataclass(frozen=True)
class Output:
    """An object of a result."""

    name: str  #: as settings and destinations name it
    file_name: str
    when: When  #: where the site says nothing
    #: "module:function"; called with a ``Building`` it gives a DICOM object, a list of them, the
    #: bytes of a file of another kind, or None where this result has no such object
    builder: str
    description: str  #: of the object, as a sentence for settings and documents
    sop_class: str | None = None  #: UID; None of a file that is no DICOM object: it is not sent
    extra: Extra | None = None  #: of the installation, where its builder needs one

    @property
    def is_dicom(self) -> bool:
        """True of a DICOM object, which destinations can be sent."""
        return self.sop_class is not None

    def numbered(self, number: int) -> str:
        """Name of the file of one object of several, numbered from 1."""
        stem, suffix = self.file_name.split(".", 1)
        return f"{stem}-{number:02d}.{suffix}"

    def owns(self, file_name: str) -> bool:
        """True if a file of a result holds this output, or one object of it."""
        stem, suffix = map(re.escape, self.file_name.split(".", 1))
        return re.fullmatch(rf"{stem}(-\d+)?\.{suffix}", file_name) is not None


_HERE = "vfnode.dicom.results"
#: In the order of building: what points to another object comes after it.
OUTPUTS: tuple[Output, ...] = (
    Output(
        "picture",
        "sagittal.sc.dcm",
        When.ALWAYS,
        f"{_HERE}.picture_sc:build_annotated_sc",
        "The annotated picture of the straightened spine.",
        SECONDARY_CAPTURE,
    ),
    Output(
        "plain_picture",
        "sagittal-plain.sc.dcm",
        When.ALWAYS,
        f"{_HERE}.picture_sc:build_plain_sc",
        "The picture without annotation.",
        SECONDARY_CAPTURE,
    ),
    Output(
        "projection",
        "projection.sc.dcm",
        When.ALWAYS,
        f"{_HERE}.picture_sc:build_projection_sc",
        "The spine as it stands, not straightened, with levels and severities.",
        SECONDARY_CAPTURE,
    ),
    Output(
        "report",
        "report.sr.dcm",
        When.ALWAYS,
        f"{_HERE}.fracture_sr:build_fracture_sr",
        "The Structured Report.",
        COMPREHENSIVE_3D_SR,
    ),
    Output(
        "key_objects",
        "pictures.ko.dcm",
        When.NEVER,
        f"{_HERE}.key_objects:build_key_objects",
        "A Key Object Selection that points at the pictures.",
        KEY_OBJECT_SELECTION,
    ),
    Output(
        "reformat",
        "reformat.ct.dcm",
        When.NEVER,
        f"{_HERE}.sagittal_reformat:build_sagittal_reformat",
        "Sagittal planes through the spine as CT images, one object a plane: to be scrolled, "
        "windowed and measured, with reference lines.",
        CT_IMAGE,
    ),
    Output(
        "fhir",
        "report.fhir.json",
        When.NEVER,
        f"{_HERE}.fhir_report:build_fhir",
        "FHIR R4 DiagnosticReport and Observations.",
        extra="his",
    ),
    Output(
        "hl7",
        "report.oru.hl7",
        When.NEVER,
        f"{_HERE}.hl7_report:build_hl7",
        "HL7 v2.5.1 ORU^R01.",
        extra="his",
    ),
    Output(
        "liaison",
        "liaison.csv",
        When.NEVER,
        f"{_HERE}.liaison_line:build_liaison_line",
        "A CSV line for the list of a fracture liaison service.",
    ),
)


def file_of(name: str) -> str:
    """Name of the file of an output."""
    return next(output.file_name for output in OUTPUTS if output.name == name)


def grade_of(folder: Path) -> str:
    """Grade of the patient in the result of a folder; empty where none could be given."""
    result = json.loads((folder / RESULT_NAME).read_text("utf-8"))
    return str((result.get("patient") or {}).get("grade") or "")


def reason_of(folder: Path) -> tuple[str, str]:
    """Code and meaning of why nothing was measured, in the result of a folder; empty if it was."""
    result = json.loads((folder / RESULT_NAME).read_text("utf-8"))
    reason = result.get("reason") or {}
    return str(reason.get("code") or ""), str(reason.get("meaning") or "")


def holds_fracture(folder: Path) -> bool:
    """True if the result in a folder reports a moderate or severe fracture, or a borderline one."""
    said = json.loads((folder / RESULT_NAME).read_text("utf-8")).get("conclusion") or {}
    return bool(said.get("fractures") or said.get("borderline"))
