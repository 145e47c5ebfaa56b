"""What result objects take over from the CT: identity, references, and their own date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from vfnode.dicom.ct_series import SeriesSource
from vfnode.dicom.result_settings import ResultContext
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


def evidence(series: SeriesSource) -> list[Dataset]:
    """One data set for each CT instance, as highdicom's SR classes want them.

    Without the patient: their constructors warn about unusual names by quoting them. The
    identity is copied afterwards from :func:`identity_source`.
    """
    datasets = {
        item.sop_instance_uid: _reference(series, item.sop_class_uid, item.sop_instance_uid)
        for item in series.instances
    }
    found = list(datasets.values())
    for keyword in TYPE_2:
        setattr(found[0], keyword, "")
    for keyword in EQUIPMENT:
        if keyword in series.header:
            setattr(found[0], keyword, series.header.get(keyword))
    return found


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


def _reference(series: SeriesSource, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    dataset = Dataset()
    dataset.StudyInstanceUID = series.study_instance_uid
    dataset.SeriesInstanceUID = series.series_instance_uid
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = sop_instance_uid
    return dataset
