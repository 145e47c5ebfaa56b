"""result.json: the contract with everything that is not DICOM."""

from __future__ import annotations

from typing import Any

import numpy as np

from vfnode.dicom.picture.layout import Geometry
from vfnode.dicom.reading.ct_series import CTSeries, SeriesSource
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.wording import tracking_name
from vfnode.spine.conclusion import conclude
from vfnode.spine.report import FractureReport


def build_result(
    report: FractureReport, series: SeriesSource | None, version: str, place: Geometry
) -> dict[str, Any]:
    """The body of result.json (schema: dicom_templates/result.schema.json).

    Args:
        report: the findings.
        series: the CT; None where the input had no DICOM identity, e.g. NIfTI.
        version: of the software.
        place: where the straightened image lies in the annotated picture.
    """
    result = report.to_dict()
    result["study_instance_uid"] = series.study_instance_uid if series else None
    result["series_instance_uid"] = series.series_instance_uid if series else None
    origin = place.to_pixels(np.zeros(2)).round(4).tolist()
    result["picture"] = {"pixel_mm": place.pixel_mm, "origin_px": origin}
    result["software"] = {"name": PRODUCT, "version": version}
    for finding, entry in zip(report.vertebrae, result["vertebrae"], strict=True):
        entry["slice_instance_uid"] = (
            series.instance_at(finding.centre_patient_mm).sop_instance_uid
            if isinstance(series, CTSeries)
            else None
        )
    return {**result, "conclusion": _conclusion(report)}


def _conclusion(report: FractureReport) -> dict[str, Any]:
    """The answer, the bodies behind it by name, and what may hide a fracture."""
    said = conclude(report)
    lists = {
        "fractures": said.fractures,
        "borderline": said.borderline,
        "mild": said.mild,
        "graded": said.graded,
    }
    return {
        "fracture": said.answer.value,
        **{name: [tracking_name(report, i) for i in found] for name, found in lists.items()},
        "may_hide_a_fracture": [reason.to_dict() for reason in said.hidden],
    }
