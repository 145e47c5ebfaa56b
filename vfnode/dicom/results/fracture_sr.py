"""The report as Comprehensive 3D SR, Imaging Measurement Report (PS3.16 TID 1500)."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    CoordinatesForMeasurement,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from vfnode.dicom.results.common_attributes import evidence, first_instance, stamp
from vfnode.dicom.results.fracture_sr_vertebra import concepts_of, vertebra_group
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.results.summary_text import paragraph
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import PRIVATE_SCHEME, concept, reason_concept
from vfnode.spine.conclusion import conclude
from vfnode.spine.reason import Reason

PICTURE = "picture"  #: name of the annotated picture in the table of outputs


def build_fracture_sr(building: Building) -> Comprehensive3DSR:
    """One measurement group a vertebra, and one for the study: also a negative is coded.

    Complete, preliminary and unverified: a person has not looked at it. A later run on the
    same series names the report that it replaces.
    """
    context, settings = building.context, building.context.settings
    wording = texts("sr_texts.json", settings.language)
    content = _measurement_report(building)[0]
    document = Comprehensive3DSR(
        evidence=[first_instance(context.series)],
        content=_without_groups(content),
        series_instance_uid=context.uid("sr series"),
        series_number=settings.sr_series_number,
        sop_instance_uid=context.uid("sr"),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=settings.version,
        series_description=wording["sr_series"].format(product=PRODUCT),
        is_complete=True,
        is_final=False,
        is_verified=False,
        content_qualification="RESEARCH",
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(PRIVATE_SCHEME, name=PRODUCT)],
    )
    # highdicom would copy and search the whole tree for every slice: half of the time.
    document.ContentSequence = content.ContentSequence
    _keep_apart(document)
    document.CurrentRequestedProcedureEvidenceSequence = [
        evidence(context.series, building.made.get(PICTURE))
    ]
    stamp(document, context)
    if context.replaces:
        document.PredecessorDocumentsSequence = [context.replaces.reference()]
    return document


def _keep_apart(container: Dataset) -> None:
    """Let viewers show each item with its name on a line of its own, not as running text."""
    container.ContinuityOfContent = "SEPARATE"
    for item in container.ContentSequence:
        if item.ValueType == "CONTAINER":
            _keep_apart(item)


def _without_groups(root: Dataset) -> Dataset:
    """The root of a report with the context of the observation and no measurements."""
    head = Dataset()
    # Not all of root: both would share the element whose value is set below.
    head.update({element.tag: element for element in root if element.keyword != "ContentSequence"})
    head.ContentSequence = root.ContentSequence[:-1]
    return head


def _measurement_report(building: Building) -> MeasurementReport:
    context, report = building.context, building.context.analysis.report
    groups = [_conclusion(building)]
    groups += [vertebra_group(context, index) for index in range(len(report.vertebrae))]
    language = texts("sr_texts.json", context.settings.language)["language"]
    return MeasurementReport(
        observation_context=_observer(context),
        procedure_reported=concept("ct_procedure"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            *concepts_of(language)
        ),
    )


def _observer(context: ResultContext) -> ObservationContext:
    settings = context.settings
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
                uid=settings.device_uid,
                name=settings.device_name,
                manufacturer_name=PRODUCT,
                model_name=f"{PRODUCT} {settings.version}",
                serial_number=settings.version,
            ),
        )
    )


def _conclusion(building: Building) -> MeasurementsAndQualitativeEvaluations:
    """The study's own group: present, absent or undetermined, why, and in words."""
    context, report = building.context, building.context.analysis.report
    wording = texts("sr_texts.json", context.settings.language)
    evaluations = [
        QualitativeEvaluation(
            concept("compression_fracture"), concept(conclude(report).answer.value)
        )
    ]
    if not report.evaluated:
        reason = report.reason or Reason.NONE_GRADED
        evaluations.append(QualitativeEvaluation(concept("not_graded"), reason_concept(reason)))
    evaluations += [
        QualitativeEvaluation(concept("quality"), reason_concept(reason))
        for reason in report.quality
    ]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=context.tracking_uid("conclusion"), identifier=wording["conclusion"]
        ),
        finding_type=concept("compression_fracture"),
        finding_sites=[FindingSite(concept("spine"))],
        algorithm_id=_algorithm(context),
        measurements=_study_measurements(building),
        qualitative_evaluations=evaluations,
    )
    group[0].ContentSequence.append(_summary_item(context))
    return group


def _study_measurements(building: Building) -> list[Measurement]:
    report = building.context.analysis.report
    graded = Measurement(
        concept("vertebrae_graded"),
        len(report.evaluated),
        concept("count"),
        referenced_coordinates=_counted_on(building),
    )
    # highdicom writes "12.0", which reads as if half a vertebra could be graded.
    graded[0].MeasuredValueSequence[0].NumericValue = str(len(report.evaluated))
    found = [graded]
    if report.min_height_ratio is not None:
        ratio = round(report.min_height_ratio, 4)
        found.append(Measurement(concept("min_height_ratio"), ratio, concept("ratio")))
    return found


def _counted_on(building: Building) -> list[CoordinatesForMeasurement] | None:
    """The image on the annotated picture, where everybody can count; None without the picture.

    Viewers open the report there. OHIF 3 cannot open a report with a group that has no place.
    """
    picture = building.made.get(PICTURE)
    if picture is None:
        return None
    place = building.pictures.annotated.geometry
    left, top = place.left_px, place.top_px
    right, bottom = left + place.width_px, top + place.height_px
    return [
        CoordinatesForMeasurement(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=np.array(
                [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], float
            ),
            source_image=SourceImageForRegion(picture.SOPClassUID, picture.SOPInstanceUID),
        )
    ]


def _algorithm(context: ResultContext) -> AlgorithmIdentification:
    """Everything that would change the result if it were changed."""
    wording = texts("sr_texts.json", context.settings.language)
    report = context.analysis.report
    return AlgorithmIdentification(
        name=wording["algorithm"],
        version=f"{PRODUCT} {context.settings.version}",
        manufacturer=PRODUCT,
        parameters=[
            *(
                wording["model"].format(role=model.role, name=model.name, sha256=model.sha256)
                for model in report.models
            ),
            wording["limits"].format(**asdict(report.limits)),
        ],
    )


def _summary_item(context: ResultContext) -> TextContentItem:
    """For viewers that show nothing but text."""
    return TextContentItem(
        name=concept("summary"), value=paragraph(context), relationship_type="CONTAINS"
    )
