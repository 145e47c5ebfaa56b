"""A compute child without models: speaks the protocol, and misbehaves when it is told to.

``python fake_compute.py CONTROL``: files in the CONTROL folder say how. ``hold-<command>``
makes it wait while the file is there; ``crash``, ``hang``, ``eat-memory`` and ``reject`` are
done at compute, a ``crash-once`` is removed first; ``poison`` names a series that
crashes it and ``refuse`` one that it cannot measure; ``full-disk`` and ``crash-at-start`` say
themselves; ``not-ready`` holds the reason why it cannot work. Every request is noted in
``requests``.
"""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from vfnode.dicom.reading.same_image import is_same_image
from vfnode.dicom.uids import derive_uid
from vfnode.durable_files import write_sealed
from vfnode.node.compute.child_pipes import AnswerPipe, lines_of_parent

OBJECTS = {
    "report.sr.dcm": Comprehensive3DSRStorage,
    "sagittal.sc.dcm": SecondaryCaptureImageStorage,
}


def main(control: Path) -> None:
    lines, node = lines_of_parent(), AnswerPipe()
    trouble = control / "not-ready"
    if trouble.exists():
        node.send({"error": {"name": "ModelError", "code": "", "detail": trouble.read_text()}})
        return
    if (control / "crash-at-start").exists():
        os._exit(4)
    node.send({"ready": True})
    for line in lines:
        request = json.loads(line)
        with (control / "requests").open("a") as notes:
            notes.write(f"{request['command']}\n")
        with node.beating():
            while (control / f"hold-{request['command']}").exists():
                time.sleep(0.02)
            answered = answer(request, control)
        node.send(answered)


def answer(request: dict[str, Any], control: Path) -> dict[str, Any]:
    if (control / "slow").exists():
        time.sleep(0.3)
    if request["command"] == "build":
        build(request, "severe" if (control / "fracture").exists() else "normal")
        return {"result": {}}
    if request["command"] == "compare":
        return {"result": {"same": [is_same_image(Path(a), Path(b)) for a, b in request["pairs"]]}}
    poison = control / "poison"
    if poison.exists() and poison.read_text() in request["instances"][0]:
        os._exit(3)
    if (control / "eat-memory").exists():
        eaten = bytearray(400_000_000)
        time.sleep(3600 + eaten[0])
    if (control / "crash").exists():
        os._exit(3)
    if (control / "crash-once").exists():
        (control / "crash-once").unlink()
        os._exit(3)
    if (control / "hang").exists():
        time.sleep(3600)
    if (control / "full-disk").exists():
        fault = {"name": "InstallationError", "code": "", "detail": "the disk is full"}
        return {"error": fault}
    if (control / "reject").exists():
        detail = "three slices"
        return {"error": {"name": "NotEvaluableError", "code": "too-few-slices", "detail": detail}}
    if "analysis" in request:
        write_sealed(Path(request["analysis"]), {"report.json": b"{}"})
    refused = control / "refuse"
    if refused.exists() and any(
        uid in request["instances"][0] for uid in refused.read_text().split()
    ):
        return {"result": {"reason": {"code": "slice-gap", "meaning": "A slice is missing"}}}
    return {"result": {"reason": None}}


def build(request: dict[str, Any], grade: str = "normal") -> None:
    source = dcmread(request["instances"][0], stop_before_pixels=True)
    folder = Path(request["results"])
    result: dict[str, Any] = {
        "patient": {"grade": grade},
        "conclusion": {"fractures": ["T8"] if grade == "severe" else [], "borderline": []},
        "replaces": request.get("replaces"),
        "vertebrae": [],
    }
    names = sorted(Path(path).stem for path in request["instances"])
    content = "/".join([str(source.PatientID), str(request.get("replaces")), *names])
    objects = {
        name: made_object(name, sop_class, source, content) for name, sop_class in OBJECTS.items()
    }
    write_sealed(folder, {**objects, "result.json": json.dumps(result).encode()})


def made_object(name: str, sop_class: str, source: Dataset, content: str) -> bytes:
    """An object with the UIDs that every run on the same instances gives it."""
    result = Dataset()
    result.file_meta = FileMetaDataset()
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result.SOPClassUID = sop_class
    result.SOPInstanceUID = derive_uid(content, name)
    result.StudyInstanceUID = source.StudyInstanceUID
    result.SeriesInstanceUID = derive_uid(str(source.SeriesInstanceUID), "series", name)
    result.PatientID = source.PatientID
    result.PatientName = source.PatientName
    result.Modality = "SR" if "sr" in name else "OT"
    buffer = io.BytesIO()
    result.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
