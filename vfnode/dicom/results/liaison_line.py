"""One CSV line for the list of a fracture liaison service."""

from __future__ import annotations

import csv
import io

from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.wording import level_label
from vfnode.spine.conclusion import conclude
from vfnode.spine.finding import VertebraFinding

#: Columns of the line, which has no heading so that lines can be put together.
COLUMNS = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyDate",
    "StudyInstanceUID",
    "fracture",
    "abnormal vertebrae",
    "smallest G",
    "vertebrae graded",
    "limitations",
    "created",
)
#: A spreadsheet would take what begins with these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def build_liaison_line(building: Building) -> bytes:
    """Comma separated, quoted where needed, UTF-8, ended by CR LF (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow(_harmless(value) for value in _values(building.context))
    return buffer.getvalue().encode("utf-8")


def _values(context: ResultContext) -> list[str]:
    header, report = context.series.header, context.analysis.report
    abnormal = [
        f"{level_label(report, index)} {_grade(finding)} {finding.loss:.0%}"
        for index, finding in enumerate(report.vertebrae)
        if finding.is_deformed or finding.is_borderline
    ]
    smallest = report.min_height_ratio
    return [
        *(str(header.get(keyword, "")) for keyword in COLUMNS[:8]),
        conclude(report).answer.value,
        "; ".join(abnormal),
        "" if smallest is None else f"{smallest:.3f}",
        str(len(report.evaluated)),
        "; ".join(reason.code for reason in (report.reason, *report.quality) if reason),
        context.created.isoformat(timespec="seconds"),
    ]


def _grade(finding: VertebraFinding) -> str:
    if finding.is_borderline:
        return "borderline"
    return finding.grade.value if finding.grade else ""


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value
