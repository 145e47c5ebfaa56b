"""Rules for references: what a report points to exists, is listed, and is where it says."""

from __future__ import annotations

from collections.abc import Iterator

from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import CheckedObject, ResultSet


def evidence(results: ResultSet) -> Findings:
    """Objects that the content points to are listed as evidence, and the evidence exists."""
    for checked in results.objects:
        if not (checked.is_report or checked.is_key_object_selection):
            continue
        listed = _listed(checked)
        for uid in dict.fromkeys(_pointed_to(checked)):
            if uid not in listed:
                yield checked.name, f"{uid} is referenced and not in the evidence"
        if not listed:
            yield checked.name, "there is no evidence"
        made = {str(other.dataset.get("SOPInstanceUID", "")) for other in results.objects}
        if results.ct and not listed <= results.ct.sop_instance_uids | made:
            yield checked.name, "evidence names an object that is not there"
        if results.ct and checked.is_report and not results.ct.sop_instance_uids <= listed:
            yield checked.name, "evidence leaves out slices of the CT"


def _pointed_to(checked: CheckedObject) -> Iterator[str]:
    for item in checked.content:
        for reference in item.dataset.get("ReferencedSOPSequence") or []:
            yield str(reference.get("ReferencedSOPInstanceUID", ""))


def _listed(checked: CheckedObject) -> set[str]:
    return {
        str(reference.get("ReferencedSOPInstanceUID", ""))
        for study in checked.dataset.get("CurrentRequestedProcedureEvidenceSequence") or []
        for series in study.get("ReferencedSeriesSequence") or []
        for reference in series.get("ReferencedSOPSequence") or []
    }


def places(results: ResultSet) -> Findings:
    """Coordinates on a picture lie inside it."""
    sizes = {
        str(checked.dataset.get("SOPInstanceUID", "")): (
            checked.dataset.Columns,
            checked.dataset.Rows,
        )
        for checked in results.pictures
    }
    for checked in results.reports:
        for item in checked.content:
            if item.dataset.get("ValueType") != "SCOORD":
                continue
            image = item.dataset.ContentSequence[0].ReferencedSOPSequence[0]
            columns, rows = sizes.get(str(image.ReferencedSOPInstanceUID), (0, 0))
            data = [float(value) for value in item.dataset.GraphicData]
            inside = all(0 <= x <= columns for x in data[::2]) and all(
                0 <= y <= rows for y in data[1::2]
            )
            if columns and not inside:
                yield checked.name, "coordinates lie outside their picture"
