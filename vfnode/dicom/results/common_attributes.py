"""Attributes that result objects take from the CT: identity, references, and their own date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from vfnode.dicom.reading.ct_series import SeriesSource
from vfnode.dicom.results.result_context import ResultContext
from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID

if TYPE_CHECKING:
    from highdicom import SOPClass

#: Attributes of the scanner that highdicom writes as acquisition equipment.
EQUIPMENT = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceSerialNumber",
    "InstitutionName",
    "StationName",
)
TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


def identity_source(series: SeriesSource) -> Dataset:
    """The cleaned header as highdicom's ``copy_patient_and_study_information`` wants it."""
    source = Dataset()
    source.update(series.header)
    source.SOPClassUID = series.instances[0].sop_class_uid
    source.SOPInstanceUID = series.instances[0].sop_instance_uid
    return source


def first_instance(series: SeriesSource) -> Dataset:
    """One CT instance as highdicom's SR classes want them: study and scanner.

    Without the patient: their constructors warn about unusual names by quoting them. The
    identity is copied afterwards from :func:`identity_source`.
    """
    dataset = Dataset()
    dataset.StudyInstanceUID = series.study_instance_uid
    dataset.SeriesInstanceUID = series.series_instance_uid
    dataset.SOPClassUID = series.instances[0].sop_class_uid
    dataset.SOPInstanceUID = series.instances[0].sop_instance_uid
    for keyword in TYPE_2:
        setattr(dataset, keyword, "")
    for keyword in EQUIPMENT:
        if keyword in series.header:
            setattr(dataset, keyword, series.header.get(keyword))
    return dataset


def evidence(series: SeriesSource, picture: Dataset | None) -> Dataset:
    """One item of Current Requested Procedure Evidence: every instance of the CT, once.

    The picture, where the report points to it, too.
    """
    references = {}
    for instance in series.instances:
        reference = Dataset()
        reference.ReferencedSOPClassUID = instance.sop_class_uid
        reference.ReferencedSOPInstanceUID = instance.sop_instance_uid
        references[instance.sop_instance_uid] = reference
    study = Dataset()
    study.StudyInstanceUID = series.study_instance_uid
    study.ReferencedSeriesSequence = [
        _series_evidence(series.series_instance_uid, list(references.values()))
    ]
    if picture is not None:
        reference = Dataset()
        reference.ReferencedSOPClassUID = picture.SOPClassUID
        reference.ReferencedSOPInstanceUID = picture.SOPInstanceUID
        study.ReferencedSeriesSequence.append(
            _series_evidence(picture.SeriesInstanceUID, [reference])
        )
    return study


def _series_evidence(series_instance_uid: str, references: list[Dataset]) -> Dataset:
    """One item of Referenced Series Sequence."""
    group = Dataset()
    group.SeriesInstanceUID = series_instance_uid
    group.ReferencedSOPSequence = references
    return group


def stamp(result: SOPClass, context: ResultContext) -> None:
    """Give an object the patient and study of the CT, its date, and our name as its writer."""
    result.copy_patient_and_study_information(identity_source(context.series))
    date, time = context.created.strftime("%Y%m%d"), context.created.strftime("%H%M%S")
    result.SeriesDate = result.InstanceCreationDate = result.ContentDate = date
    result.SeriesTime = result.InstanceCreationTime = result.ContentTime = time
    for equipment in result.get("ContributingEquipmentSequence", []):
        # highdicom writes the present time, also for the scanner, which worked earlier.
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
    result.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    result.file_meta.ImplementationVersionName = f"VFNODE_{context.settings.version}"[:16]
