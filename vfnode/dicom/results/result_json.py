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
    images = _images(series, report) if isinstance(series, CTSeries) else None
    return {**result, "conclusion": _conclusion(report), "images": images}


def _images(series: CTSeries, report: FractureReport) -> dict[str, Any]:
    """Part of the patient that was looked at, and the images that were left out, with reasons."""
    names = [tracking_name(report, index) for index in range(len(report.vertebrae))]
    return {
        "measured": len(series.instances),
        "covered_mm": round(series.covered_mm, 1),
        "levels": [names[0], names[-1]] if names else None,
        "left_out": [
            {
                "sop_instance_uid": image.sop_instance_uid or None,
                "frame": image.frame,
                "why": image.why.value,
            }
            for image in series.left_out
        ],
    }


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
