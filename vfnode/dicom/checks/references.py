"""Rules for references: what a report points to exists, is listed, and is where it says."""

from __future__ import annotations

from collections.abc import Iterator

from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import CheckedObject, ResultSet


def evidence(results: ResultSet) -> Findings:
    """Objects that the content points to are listed as evidence, and the evidence exists."""
    for each in results.objects:
        if not (each.is_report or each.is_key_object_selection):
            continue
        listed = _listed(each)
        for uid in dict.fromkeys(_pointed_to(each)):
            if uid not in listed:
                yield each.name, f"{uid} is referenced and not in the evidence"
        if not listed:
            yield each.name, "there is no evidence"
        made = {str(other.dataset.get("SOPInstanceUID", "")) for other in results.objects}
        if results.ct and not listed <= results.ct.sop_instance_uids | made:
            yield each.name, "evidence names an object that is not there"
        if results.ct and each.is_report and not results.ct.sop_instance_uids <= listed:
            yield each.name, "evidence leaves out slices of the CT"


def _pointed_to(each: CheckedObject) -> Iterator[str]:
    for item in each.content:
        for reference in item.dataset.get("ReferencedSOPSequence") or []:
            yield str(reference.get("ReferencedSOPInstanceUID", ""))


def _listed(each: CheckedObject) -> set[str]:
    return {
        str(reference.get("ReferencedSOPInstanceUID", ""))
        for study in each.dataset.get("CurrentRequestedProcedureEvidenceSequence") or []
        for series in study.get("ReferencedSeriesSequence") or []
        for reference in series.get("ReferencedSOPSequence") or []
    }


def places(results: ResultSet) -> Findings:
    """Coordinates on a picture lie inside it."""
    sizes = {
        str(each.dataset.get("SOPInstanceUID", "")): (each.dataset.Columns, each.dataset.Rows)
        for each in results.pictures
    }
    for each in results.reports:
        for item in each.content:
            if item.dataset.get("ValueType") != "SCOORD":
                continue
            image = item.dataset.ContentSequence[0].ReferencedSOPSequence[0]
            columns, rows = sizes.get(str(image.ReferencedSOPInstanceUID), (0, 0))
            data = [float(value) for value in item.dataset.GraphicData]
            inside = all(0 <= x <= columns for x in data[::2]) and all(
                0 <= y <= rows for y in data[1::2]
            )
            if columns and not inside:
                yield each.name, "coordinates lie outside their picture"
