"""Rules for Secondary Captures: what viewers show wrong, and what a ruler must be able to trust."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import ResultSet
from vfnode.dicom.templates import load_template

LONGEST_SIDE = 2000


def pixels(results: ResultSet) -> Findings:
    """Even size of at most 2000 pixels, and as many bytes as the size says."""
    for checked in results.pictures:
        rows, columns = int(checked.dataset.get("Rows", 0)), int(checked.dataset.get("Columns", 0))
        if rows % 2 or columns % 2 or not 0 < max(rows, columns) <= LONGEST_SIDE:
            yield checked.name, f"{rows} x {columns} pixels: odd, empty or too large"
        if len(checked.dataset.get("PixelData", b"")) != rows * columns * 3:
            yield checked.name, "PixelData has not the length that rows and columns ask for"


def calibration(results: ResultSet) -> Findings:
    """A pixel size is the same both ways and says how it was found."""
    for checked in results.pictures:
        yield from ((checked.name, text) for text in _calibration_of(checked.dataset))


def _calibration_of(picture: Dataset) -> Iterator[str]:
    spacing = picture.get("PixelSpacing")
    if not spacing:
        return
    if len(spacing) != 2 or spacing[0] != spacing[1] or not float(spacing[0]) > 0:  # noqa: PLR2004
        yield "PixelSpacing is not the same both ways"
    if picture.get("PixelSpacingCalibrationType") != "GEOMETRY":
        yield "PixelSpacing has no calibration type GEOMETRY"
    if not picture.get("PixelSpacingCalibrationDescription"):
        yield "the calibration is not described"


def no_plane(results: ResultSet) -> Findings:
    """No position in the patient: the picture is no plane, and reference lines would lie."""
    forbidden = load_template("checks.json")["forbidden_in_pictures"]
    for checked in results.pictures:
        for keyword in forbidden:
            if keyword in checked.dataset:
                yield checked.name, f"{keyword} does not belong in a picture"


def sources(results: ResultSet) -> Findings:
    """A picture points to slices of the CT and to nothing else."""
    for checked in results.pictures:
        named = {
            str(item.get("ReferencedSOPInstanceUID", ""))
            for item in checked.dataset.get("SourceImageSequence") or []
        }
        if results.ct and named != results.ct.sop_instance_uids:
            yield checked.name, "SourceImageSequence does not name the slices of the CT"
        for report in results.reports:
            if named != _evidence_of_ct(report.dataset, named):
                yield checked.name, f"source images are not the evidence of {report.name}"


def _evidence_of_ct(report: Dataset, named: set[str]) -> set[str]:
    """Instances of the evidence series that holds the picture's sources."""
    for study in report.get("CurrentRequestedProcedureEvidenceSequence") or []:
        for series in study.get("ReferencedSeriesSequence") or []:
            listed = {
                str(item.get("ReferencedSOPInstanceUID", ""))
                for item in series.get("ReferencedSOPSequence") or []
            }
            if listed & named:
                return listed
    return set()
