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
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage

from vfnode.dicom.results.result_context import ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import concept, level_concept, reason_concept
from vfnode.dicom.wording import UNKNOWN, level_certainty, presence_name, tracking_name
from vfnode.spine.genant import GenantLimits, height_loss_posterior
from vfnode.spine.report import VertebraFinding
from vfnode.spine.vertebra import COLUMNS

#: As result.json rounds them, so that both say the same number.
HEIGHT_DECIMALS, RATIO_DECIMALS = 3, 4


def concepts_of(*names: str) -> list[CodedConcept]:
    """Concepts as highdicom's own class, for the constructors that insist on it."""
    return [CodedConcept.from_code(concept(name)) for name in names]


def presence(ratio: float | None, limits: GenantLimits) -> Code:
    """The answer on a fracture as a code (CID 240)."""
    return concept(presence_name(ratio, limits))


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
        measurements=[*_heights(context, finding), *_ratios(finding), *_certainties(finding)],
        qualitative_evaluations=[*_evaluations(finding), _level_certainty(context, index)],
        source_images=[_source_image(context, finding)],
    )


def _heights(context: ResultContext, finding: VertebraFinding) -> list[Measurement]:
    """Three heights, each with the two points between which it was measured, in the patient."""
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
        for column, height, ends in zip(
            COLUMNS, finding.heights_mm, finding.keypoints_patient_mm, strict=True
        )
    ]


def _ratios(finding: VertebraFinding) -> list[Measurement]:
    """G and the other common definition of loss; nothing of a body that is not graded."""
    if not finding.is_graded:
        return []
    loss = round(height_loss_posterior(finding.heights_mm), RATIO_DECIMALS)
    ratio = round(finding.height_ratio, RATIO_DECIMALS)
    return [
        Measurement(concept("height_ratio"), ratio, concept("ratio")),
        Measurement(concept("height_loss_posterior"), loss, concept("ratio")),
    ]


def _certainties(finding: VertebraFinding) -> list[Measurement]:
    """How exact and how sure; nothing of the confidence of a name that was not given."""
    uncertainty = round(finding.uncertainty_mm, HEIGHT_DECIMALS)
    shares = {"objectness": finding.objectness}
    if finding.level is not UNKNOWN:
        shares["level_confidence"] = finding.level_confidence
    return [
        Measurement(concept("uncertainty"), uncertainty, concept("millimetre")),
        *(
            Measurement(concept(name), round(share, RATIO_DECIMALS), concept("ratio"))
            for name, share in shares.items()
        ),
    ]


def _evaluations(finding: VertebraFinding) -> list[QualitativeEvaluation]:
    """Grade in our code and in a standard one that every reader knows; else why there is none."""
    if finding.withheld is not None:
        return [
            QualitativeEvaluation(concept("compression_fracture"), concept("undetermined")),
            QualitativeEvaluation(concept("not_graded"), reason_concept(finding.withheld)),
        ]
    grade, kind = finding.grade.value, finding.deformity.value
    return [
        QualitativeEvaluation(
            concept("compression_fracture"), presence(finding.height_ratio, finding.limits)
        ),
        QualitativeEvaluation(concept("genant_grade"), concept(f"genant_{grade}")),
        QualitativeEvaluation(concept("severity"), concept(f"severity_{grade}")),
        QualitativeEvaluation(concept("deformity"), concept(f"deformity_{kind}")),
    ]


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
