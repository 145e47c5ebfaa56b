"""The objects of a result as a table, built in memory and written all or none.

A new object is one module with a builder and one line in OUTPUTS.
"""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage

from vfnode.dicom.annotated_sc import build_annotated_sc
from vfnode.dicom.check_subject import CheckedObject, CTFacts, ResultSet
from vfnode.dicom.checks import require_sound
from vfnode.dicom.ct_series import CTSeries
from vfnode.dicom.drawing import Picture, draw_picture
from vfnode.dicom.picture_layout import PictureFacts
from vfnode.dicom.result_json import build_result
from vfnode.dicom.result_settings import PRODUCT, ResultContext, ResultSettings
from vfnode.spine.report import Analysis, FractureReport

RESULT_JSON = "result.json"


@dataclass(frozen=True)
class Output:
    """A DICOM object of every result."""

    file_name: str
    sop_class_uid: str
    uid_kind: str  #: its SOP Instance UID is ``context.uid(uid_kind)``
    build: Callable[[ResultContext, Picture], Dataset]


@dataclass(frozen=True)
class WrittenOutput:
    """A file of a result; the UIDs are None where it is not a DICOM object."""

    path: Path
    sop_class_uid: str | None
    sop_instance_uid: str | None


def _fracture_sr(context: ResultContext, _picture: Picture) -> Dataset:
    # Imported here: highdicom takes 0.7 s, and NIfTI input never needs it.
    from vfnode.dicom.fracture_sr import build_fracture_sr  # noqa: PLC0415

    return build_fracture_sr(context)


OUTPUTS = (
    Output("report.sr.dcm", Comprehensive3DSRStorage, "sr", _fracture_sr),
    Output("sagittal.sc.dcm", SecondaryCaptureImageStorage, "sc", build_annotated_sc),
)


def build_and_write(
    analysis: Analysis,
    series: CTSeries | None,
    folder: Path,
    settings: ResultSettings | None = None,
    created: datetime | None = None,
) -> tuple[WrittenOutput, ...]:
    """Build every object of a result and put them into ``folder``, all or none.

    Args:
        series: the CT; None for input without DICOM identity: no DICOM objects then.
        folder: made if it is not there; files of an earlier result are replaced.
        created: date of the objects; now where None.

    Returns:
        What was written, result.json last.

    Raises:
        ResultError: an object fails the semantic check (checks.py); nothing is written.
    """
    used, when = settings or ResultSettings(), created or datetime.now()
    started = time.perf_counter()
    picture = draw_picture(analysis, PictureFacts(PRODUCT, used.version, when, used.language))
    files = {"sagittal.png": _png(picture)}
    uids: list[tuple[str | None, str | None]] = [(None, None)]
    if series is not None:
        context = ResultContext(analysis, series, used, when)
        made = {item.file_name: item.build(context, picture) for item in OUTPUTS}
        objects = tuple(CheckedObject(name, dataset) for name, dataset in made.items())
        require_sound(ResultSet(objects, CTFacts.from_series(series)))
        files |= {name: _encoded(dataset) for name, dataset in made.items()}
        uids += [(item.sop_class_uid, context.uid(item.uid_kind)) for item in OUTPUTS]
    report = _with_build_time(analysis.report, time.perf_counter() - started)
    files[RESULT_JSON] = _json(build_result(report, series, used.version))
    write_together(folder, files)
    named = zip(files, [*uids, (None, None)], strict=True)
    return tuple(WrittenOutput(folder / name, *pair) for name, pair in named)


def write_together(folder: Path, files: dict[str, bytes]) -> None:
    """Write files beside ``folder`` first, then move them in: nothing half-written is seen.

    The last file moves last; where it stands, all stand.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    waiting = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in files.items():
            (waiting / name).write_bytes(content)
        folder.mkdir(exist_ok=True)
        for name in files:
            (waiting / name).replace(folder / name)
    finally:
        shutil.rmtree(waiting, ignore_errors=True)


def _with_build_time(report: FractureReport, seconds: float) -> FractureReport:
    spent = {**report.timing_s, "build": seconds}
    spent["total"] = sum(value for name, value in spent.items() if name != "total")
    return dataclasses.replace(report, timing_s=spent)


def _json(result: dict[str, Any]) -> bytes:
    return json.dumps(result, indent=1, ensure_ascii=False).encode("utf-8")


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    pixels_per_inch = 25.4 / picture.pixel_mm
    picture.image().save(buffer, "PNG", dpi=(pixels_per_inch, pixels_per_inch))
    return buffer.getvalue()


def _encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
