"""FHIR R4 DiagnosticReport with one Observation a vertebra, as a collection Bundle."""

from __future__ import annotations

import uuid
from typing import Any

from pydicom.sr.coding import Code

from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.summary_text import headline, paragraph
from vfnode.dicom.uids import derive_uid
from vfnode.dicom.vocabulary import PRIVATE_SCHEME, concept, level_concept, reason_concept
from vfnode.dicom.wording import level_certainty, level_label, tracking_name
from vfnode.spine.conclusion import conclude, presence_of
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport
from vfnode.spine.vertebra import COLUMNS

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "UCUM": "http://unitsofmeasure.org",
    PRIVATE_SCHEME: f"urn:oid:{derive_uid('code system', PRIVATE_SCHEME)}",
}
DICOM_UID = "urn:dicom:uid"


def build_fhir(building: Building) -> bytes:
    """Checked by the FHIR R4 model classes before it is written.

    Status ``preliminary``: no person has looked at it.
    """
    # Imported here: optional objects cost nothing where they are switched off.
    from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415

    context = building.context
    observations = [
        _observation(context, index) for index in range(len(context.analysis.report.vertebrae))
    ]
    resources = [_report(context, observations), *observations]
    bundle = Bundle(
        type="collection",
        identifier=_uid_identifier(context.uid("fhir")),
        timestamp=context.created.astimezone().isoformat(),
        entry=[{"fullUrl": f"urn:uuid:{found['id']}", "resource": found} for found in resources],
    )
    text: str = bundle.model_dump_json(indent=1)
    return text.encode("utf-8")


def _report(context: ResultContext, observations: list[dict[str, Any]]) -> dict[str, Any]:
    header, report = context.series.header, context.analysis.report
    conclusions = [concept(conclude(report).answer.value)]
    if not report.evaluated:
        conclusions.append(reason_concept(report.reason or Reason.NONE_GRADED))
    resource = {
        **_common(context, "DiagnosticReport", "report"),
        "code": _codeable(concept("ct_procedure")),
        "category": [{"text": "Radiology"}],
        "issued": context.created.astimezone().isoformat(),
        "result": [{"reference": f"urn:uuid:{observation['id']}"} for observation in observations],
        "imagingStudy": [{"identifier": _uid_identifier(context.series.study_instance_uid)}],
        "conclusion": paragraph(context),
        "conclusionCode": [_codeable(code) for code in conclusions],
    }
    if header.AccessionNumber:
        resource["basedOn"] = [{"identifier": {"value": str(header.AccessionNumber)}}]
    return resource


def _observation(context: ResultContext, index: int) -> dict[str, Any]:
    report = context.analysis.report
    finding, name = report.vertebrae[index], tracking_name(report, index)
    return {
        **_common(context, "Observation", name),
        "identifier": [_uid_identifier(context.tracking_uid(name))],
        "code": _codeable(concept("compression_fracture")),
        "bodySite": _codeable(level_concept(finding.level), level_label(report, index)),
        "valueCodeableConcept": _codeable(concept(presence_of(finding).value)),
        "component": [*_heights(finding), *_grade(finding), _level_certainty(report, index)],
    }


def _common(context: ResultContext, kind: str, name: str) -> dict[str, Any]:
    made = derive_uid("fhir", kind, context.uid("fhir"), name)
    patient = {"value": str(context.series.header.PatientID) or "unknown"}
    if context.series.header.get("IssuerOfPatientID"):
        patient["system"] = f"urn:vfnode:issuer:{context.series.header.IssuerOfPatientID}"
    return {
        "resourceType": kind,
        "id": str(uuid.UUID(int=int(made.removeprefix("2.25.")))),
        "status": "preliminary",
        "subject": {"identifier": patient},
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{_html(context, kind, name)}</div>',
        },
    }


def _html(context: ResultContext, kind: str, name: str) -> str:
    text = headline(context) if kind == "DiagnosticReport" else name
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _heights(finding: VertebraFinding) -> list[dict[str, Any]]:
    return [
        {
            "code": {
                "coding": [_coding(concept("height")), _coding(concept(column))],
                "text": f"{column} height",
            },
            "valueQuantity": _quantity(round(float(height), 3), "millimetre"),
        }
        for column, height, seen in zip(
            COLUMNS, finding.heights_mm, finding.columns_seen, strict=True
        )
        if seen
    ]


def _grade(finding: VertebraFinding) -> list[dict[str, Any]]:
    """G, loss, Genant grade and severity; the reason where the body was not graded."""
    if finding.grade is None:
        why = _codeable(reason_concept(finding.withheld or Reason.NONE_GRADED))
        return [{"code": _codeable(concept("not_graded")), "valueCodeableConcept": why}]
    grade = finding.grade.value
    shares = {"height_ratio": finding.height_ratio, "loss": finding.loss}
    coded = {
        "genant_grade": f"genant_{grade}",
        "severity": f"severity_{grade}",
        "borderline": "yes" if finding.is_borderline else "no",
    }
    return [
        *(
            {
                "code": _codeable(concept(name)),
                "valueQuantity": _quantity(round(share, 4), "ratio"),
            }
            for name, share in shares.items()
        ),
        *(
            {"code": _codeable(concept(name)), "valueCodeableConcept": _codeable(concept(said))}
            for name, said in coded.items()
        ),
    ]


def _level_certainty(report: FractureReport, index: int) -> dict[str, Any]:
    answer = concept(f"level_{level_certainty(report, index)}")
    return {
        "code": _codeable(concept("level_certainty")),
        "valueCodeableConcept": _codeable(answer),
    }


def _quantity(value: float, unit: str) -> dict[str, Any]:
    code = concept(unit)
    return {"value": value, "unit": code.meaning, "system": SYSTEMS["UCUM"], "code": code.value}


def _coding(code: Code) -> dict[str, str]:
    system = SYSTEMS[code.scheme_designator]
    return {"system": system, "code": code.value, "display": code.meaning}


def _codeable(code: Code, text: str | None = None) -> dict[str, Any]:
    return {"coding": [_coding(code)], "text": text or code.meaning}


def _uid_identifier(uid: str) -> dict[str, str]:
    return {"system": DICOM_UID, "value": f"urn:oid:{uid}"}
