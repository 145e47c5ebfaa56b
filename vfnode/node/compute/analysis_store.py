"""An analysis on disk, between the step that computes and the step that builds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from vfnode.durable_files import write_json
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.straighten import SagittalImage

REPORT_NAME = "report.json"
SAGITTAL_NAME = "sagittal.npz"


def save_analysis(analysis: Analysis, folder: Path) -> None:
    """Write report.json and, where there is an image, sagittal.npz; the report comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / SAGITTAL_NAME
    if analysis.sagittal is None:
        image.unlink(missing_ok=True)
    else:
        sagittal = analysis.sagittal
        np.savez(image, hu=sagittal.hu, step_mm=sagittal.step_mm)
    write_json(folder / REPORT_NAME, analysis.report.to_dict())


def load_analysis(folder: Path) -> Analysis:
    """What :func:`save_analysis` wrote."""
    report = FractureReport.from_dict(json.loads((folder / REPORT_NAME).read_text("utf-8")))
    image = folder / SAGITTAL_NAME
    if not image.exists():
        return Analysis(report, None)
    with np.load(image) as stored:
        sagittal = SagittalImage(stored["hu"], float(stored["step_mm"]))
    return Analysis(report, sagittal)
