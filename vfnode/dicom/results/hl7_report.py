"""HL7 v2.5.1 ORU^R01: the result for a hospital's information system."""

from __future__ import annotations

import hashlib
from typing import Any

from pydicom.sr.coding import Code

from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.results.summary_text import paragraph
from vfnode.dicom.vocabulary import concept, reason_concept
from vfnode.dicom.wording import level_certainty, tracking_name
from vfnode.spine.conclusion import conclude, presence_of
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import COLUMNS

#: Delimiters in a text become escape sequences (HL7 v2.5.1, 2.7).
ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\r": " ",
    "\n": " ",
}
PRELIMINARY = "P"  #: OBX-11 and OBR-25: no person has looked at it
#: One line of the result: value type, code, sub-identifier, value, unit.
Observation = tuple[str, Code, str, str, Code | None]


def build_hl7(building: Building) -> bytes:
    """UTF-8, segments ended by carriage returns; checked by the message's own grammar."""
    # Imported here: optional objects cost nothing where they are switched off.
    from hl7apy.core import Message  # noqa: PLC0415

    context = building.context
    message = Message("ORU_R01", version="2.5.1")
    _write_header(message.msh, context)
    result = message.add_group("ORU_R01_PATIENT_RESULT")
    _write_patient(result.add_group("ORU_R01_PATIENT").pid, context)
    order = result.add_group("ORU_R01_ORDER_OBSERVATION")
    _write_order(order.obr, context)
    for number, observation in enumerate(_observations(context), start=1):
        _write_observation(order.add_group("ORU_R01_OBSERVATION").obx, number, observation)
    message.validate()
    text: str = message.to_er7()
    return (text.rstrip("\r") + "\r").encode("utf-8")


def escaped(text: str) -> str:
    """A text that holds no delimiter."""
    return "".join(ESCAPES.get(char, char) for char in text)


def _write_header(msh: Any, context: ResultContext) -> None:
    msh.msh_3 = escaped(PRODUCT.upper())
    msh.msh_7 = context.created.strftime("%Y%m%d%H%M%S")
    msh.msh_9 = "ORU^R01^ORU_R01"
    msh.msh_10 = hashlib.sha256(context.uid("hl7").encode("ascii")).hexdigest()[:20]
    msh.msh_11 = "P"
    msh.msh_18 = "UNICODE UTF-8"


def _write_patient(pid: Any, context: ResultContext) -> None:
    header = context.series.header
    issuer = escaped(str(header.get("IssuerOfPatientID", "")))
    pid.pid_3 = f"{escaped(str(header.PatientID))}^^^{issuer}".rstrip("^") or '""'
    # DICOM: family, given, middle, prefix, suffix; HL7 has suffix before prefix.
    parts = [*str(header.PatientName).split("=")[0].split("^"), "", "", "", ""][:5]
    family, given, middle, prefix, suffix = (escaped(part) for part in parts)
    pid.pid_5 = "^".join([family, given, middle, suffix, prefix]).rstrip("^") or '""'
    if header.PatientBirthDate:
        pid.pid_7 = str(header.PatientBirthDate)
    if header.PatientSex:
        pid.pid_8 = str(header.PatientSex)


def _write_order(obr: Any, context: ResultContext) -> None:
    header = context.series.header
    obr.obr_1 = "1"
    if header.AccessionNumber:
        obr.obr_3 = obr.obr_18 = escaped(str(header.AccessionNumber))
    obr.obr_4 = _coded(concept("ct_procedure"))
    if header.StudyDate:
        obr.obr_7 = f"{header.StudyDate}{str(header.StudyTime)[:6]}"
    obr.obr_22 = context.created.strftime("%Y%m%d%H%M%S")
    obr.obr_25 = PRELIMINARY


def _write_observation(obx: Any, number: int, observation: Observation) -> None:
    kind, code, part, value, unit = observation
    obx.obx_1, obx.obx_2, obx.obx_3 = str(number), kind, _coded(code)
    if part:
        obx.obx_4 = escaped(part)
    obx.obx_5 = value
    if unit is not None:
        obx.obx_6 = _coded(unit)
    obx.obx_11 = PRELIMINARY


def _observations(context: ResultContext) -> list[Observation]:
    """The conclusion, why there is none, the words, then each body with heights and grade."""
    report = context.analysis.report
    answer = concept(conclude(report).answer.value)
    lines: list[Observation] = [
        ("CWE", concept("compression_fracture"), "", _coded(answer), None),
        ("TX", concept("summary"), "", escaped(paragraph(context)), None),
    ]
    if not report.evaluated:
        reason = report.reason or Reason.NONE_GRADED
        lines.append(("CWE", concept("not_graded"), "", _coded(reason_concept(reason)), None))
    lines += [
        ("CWE", concept("quality"), "", _coded(reason_concept(reason)), None)
        for reason in report.quality
    ]
    for index in range(len(report.vertebrae)):
        lines += _vertebra(context, index)
    return lines


def _vertebra(context: ResultContext, index: int) -> list[Observation]:
    finding, name = (
        context.analysis.report.vertebrae[index],
        tracking_name(context.analysis.report, index),
    )
    height, unit = concept("height"), concept("millimetre")
    certainty = concept(f"level_{level_certainty(context.analysis.report, index)}")
    lines: list[Observation] = [
        ("CWE", concept("level_certainty"), name, _coded(certainty), None),
        *(
            ("NM", height, f"{name}.{column}", f"{value:.3f}", unit)
            for column, value, seen in zip(
                COLUMNS, finding.heights_mm, finding.columns_seen, strict=True
            )
            if seen
        ),
    ]
    return [*lines, *_graded(finding, name)]


def _graded(finding: VertebraFinding, name: str) -> list[Observation]:
    """The answer, grade and loss of a body; the reason where it was not graded."""
    if finding.grade is None:
        why = _coded(reason_concept(finding.withheld or Reason.NONE_GRADED))
        return [("CWE", concept("not_graded"), name, why, None)]
    unit = concept("ratio")
    coded = {
        "compression_fracture": presence_of(finding).value,
        "genant_grade": f"genant_{finding.grade.value}",
        "borderline": "yes" if finding.is_borderline else "no",
    }
    return [
        ("NM", concept("height_ratio"), name, f"{finding.height_ratio:.4f}", unit),
        ("NM", concept("loss"), name, f"{finding.loss:.4f}", unit),
        *(
            ("CWE", concept(what), name, _coded(concept(said)), None)
            for what, said in coded.items()
        ),
    ]


def _coded(code: Code) -> str:
    return "^".join(escaped(part) for part in (code.value, code.meaning, code.scheme_designator))
