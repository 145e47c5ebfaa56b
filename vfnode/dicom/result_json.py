"""result.json: the contract with everything that is not DICOM."""

from __future__ import annotations

from typing import Any

from vfnode.dicom.ct_series import CTSeries, SeriesSource
from vfnode.spine.report import FractureReport

PRODUCT = "vfnode"


def build_result(
    report: FractureReport, series: SeriesSource | None, version: str
) -> dict[str, Any]:
    """The body of result.json (schema: dicom_templates/result.schema.json).

    Args:
        report: the findings.
        series: the CT; None where the input had no DICOM identity, e.g. NIfTI.
        version: of the software.
    """
    result = report.to_dict()
    result["study_instance_uid"] = series.study_instance_uid if series else None
    result["series_instance_uid"] = series.series_instance_uid if series else None
    result["software"] = {"name": PRODUCT, "version": version}
    for finding, entry in zip(report.vertebrae, result["vertebrae"], strict=True):
        entry["slice_instance_uid"] = (
            series.instance_at(finding.centre_patient_mm).sop_instance_uid
            if isinstance(series, CTSeries)
            else None
        )
    return result
