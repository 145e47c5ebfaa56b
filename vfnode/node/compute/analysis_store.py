"""An analysis on disk, between the step that computes and the step that builds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from vfnode.durable_files import sealed_files, write_sealed
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.straighten import SagittalImage

REPORT_NAME = "report.json"
SAGITTAL_NAME = "sagittal.npz"


def save_analysis(analysis: Analysis, folder: Path) -> None:
    """Write report.json and, where there is an image, sagittal.npz: sealed, all or none."""
    files = {} if analysis.sagittal is None else {SAGITTAL_NAME: _npz(analysis.sagittal)}
    report = json.dumps(analysis.report.to_dict()).encode("utf-8")
    write_sealed(folder, {**files, REPORT_NAME: report})


def load_analysis(folder: Path) -> Analysis:
    """The analysis that :func:`save_analysis` wrote."""
    report = FractureReport.from_dict(json.loads((folder / REPORT_NAME).read_text("utf-8")))
    if SAGITTAL_NAME not in sealed_files(folder):
        return Analysis(report, None)
    with np.load(folder / SAGITTAL_NAME) as stored:
        sagittal = SagittalImage(stored["hu"], float(stored["step_mm"]))
    return Analysis(report, sagittal)


def _npz(sagittal: SagittalImage) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, hu=sagittal.hu, step_mm=sagittal.step_mm)
    return buffer.getvalue()
