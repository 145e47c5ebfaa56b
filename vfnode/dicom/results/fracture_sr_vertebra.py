"""One vertebra of the SR: Measurement and Qualitative Evaluation Group (PS3.16 TID 1501)."""

from __future__ import annotations

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    CoordinatesForMeasurement3D,
    FindingSite,
    GraphicTypeValues3D,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.uid import CTImageStorage

from vfnode.dicom.results.result_context import ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import concept, level_concept, reason_concept
from vfnode.dicom.wording import UNKNOWN, level_certainty, tracking_name
from vfnode.spine.conclusion import presence_of
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import height_loss_posterior
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import COLUMNS
from vfnode.spine.volume import FloatArray

#: As result.json rounds them, so that both say the same number.
HEIGHT_DECIMALS, RATIO_DECIMALS = 3, 4


def concepts_of(*names: str) -> list[CodedConcept]:
    """Concepts as highdicom's own class, for the constructors that insist on it."""
    return [CodedConcept.from_code(concept(name)) for name in names]


def vertebra_group(context: ResultContext, index: int) -> MeasurementsAndQualitativeEvaluations:
    """All that is known of one body; ``index`` counts from the cranial end, from 0."""
    finding = context.analysis.report.vertebrae[index]
    name = tracking_name(context.analysis.report, index)
    wording = texts("sr_texts.json", context.settings.language)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=context.tracking_uid(name), identifier=name),
        finding_type=concept("compression_fracture"),
        finding_sites=[FindingSite(level_concept(finding.level))],
        algorithm_id=AlgorithmIdentification(
            name=wording["algorithm"], version=f"{PRODUCT} {context.settings.version}"
        ),
        measurements=[
            *_heights(context, finding),
            *_expected(finding),
            *_ratios(finding),
            *_certainties(finding),
        ],
        qualitative_evaluations=[*_evaluations(finding), _level_certainty(context, index)],
        source_images=[_source_image(context, finding)],
    )


def _heights(context: ResultContext, finding: VertebraFinding) -> list[Measurement]:
    """Heights that lie on images, each with its two points in the patient."""
    site = level_concept(finding.level)
    return [
        Measurement(
            name=concept("height"),
            value=round(float(height), HEIGHT_DECIMALS),
            unit=concept("millimetre"),
            finding_sites=[FindingSite(site, topographical_modifier=concept(column))],
            referenced_coordinates=[
                CoordinatesForMeasurement3D(
                    graphic_type=GraphicTypeValues3D.POLYLINE,
                    graphic_data=ends,
                    frame_of_reference_uid=context.series.frame_of_reference_uid,
                )
            ],
        )
        for column, height, ends, seen in zip(
            COLUMNS,
            finding.heights_mm,
            finding.keypoints_patient_mm,
            finding.columns_seen,
            strict=True,
        )
        if seen
    ]


def _ratios(finding: VertebraFinding) -> list[Measurement]:
    """G, the losses and how probable a fracture is; nothing of a body that is not graded."""
    if not finding.is_graded:
        return []
    shares = {
        "height_ratio": finding.height_ratio,
        "height_loss_posterior": height_loss_posterior(finding.heights_mm),
        "loss_own": finding.loss_own,
        "loss_expected": finding.loss_expected,
        "loss": finding.loss,
        "probability_moderate": finding.probability_moderate,
    }
    return [
        Measurement(concept(name), round(share, RATIO_DECIMALS), concept("ratio"))
        for name, share in shares.items()
        if share is not None
    ]


def _certainties(finding: VertebraFinding) -> list[Measurement]:
    """Uncertainty of the points and confidence of body and name, if it has a name."""
    shares = {"objectness": finding.objectness}
    if finding.level is not UNKNOWN:
        shares["level_confidence"] = finding.level_confidence
    return [
        *_of_columns("uncertainty", finding, finding.uncertainty_mm),
        *(
            Measurement(concept(name), round(share, RATIO_DECIMALS), concept("ratio"))
            for name, share in shares.items()
        ),
    ]


def _expected(finding: VertebraFinding) -> list[Measurement]:
    """Expected heights; none if too few bodies were found."""
    if finding.expected_heights_mm is None:
        return []
    return _of_columns("expected_height", finding, finding.expected_heights_mm)


def _of_columns(name: str, finding: VertebraFinding, values_mm: FloatArray) -> list[Measurement]:
    """One length for each of anterior, middle and posterior (3,)."""
    site = level_concept(finding.level)
    return [
        Measurement(
            concept(name),
            round(float(value), HEIGHT_DECIMALS),
            concept("millimetre"),
            finding_sites=[FindingSite(site, topographical_modifier=concept(column))],
        )
        for column, value in zip(COLUMNS, values_mm, strict=True)
    ]


def _evaluations(finding: VertebraFinding) -> list[QualitativeEvaluation]:
    """Grade in our code and in a standard one that every reader knows; else why there is none."""
    answers = {"compression_fracture": concept(presence_of(finding).value)}
    if finding.grade is None or finding.deformity is None:
        answers["not_graded"] = reason_concept(finding.withheld or Reason.NONE_GRADED)
    else:
        grade = finding.grade.value
        answers["genant_grade"] = concept(f"genant_{grade}")
        answers["severity"] = concept(f"severity_{grade}")
        answers["borderline"] = concept("yes" if finding.is_borderline else "no")
        answers["deformity"] = concept(f"deformity_{finding.deformity.value}")
        answers["measure"] = concept(f"measure_{finding.measure.value}")
    if finding.endplate is not None:
        answers["endplate"] = concept(f"endplate_{finding.endplate.value}")
    return [QualitativeEvaluation(concept(name), answer) for name, answer in answers.items()]


def _level_certainty(context: ResultContext, index: int) -> QualitativeEvaluation:
    certainty = level_certainty(context.analysis.report, index)
    return QualitativeEvaluation(concept("level_certainty"), concept(f"level_{certainty}"))


def _source_image(
    context: ResultContext, finding: VertebraFinding
) -> SourceImageForMeasurementGroup:
    """The CT slice that holds the body's centre."""
    source = context.slice_of(finding).instance
    frames = None if source.sop_class_uid == CTImageStorage else [source.frame + 1]
    return SourceImageForMeasurementGroup(source.sop_class_uid, source.sop_instance_uid, frames)
