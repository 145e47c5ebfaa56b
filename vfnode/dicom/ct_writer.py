"""A volume -> a valid CT Image Storage series: for the demo, for sending, and for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DS

from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID, derive_uid
from vfnode.errors import GeometryError
from vfnode.spine.volume import CTVolume, FloatArray

#: Stored pixels are HU + 1024, unsigned 16 bit, as most scanners write them.
INTERCEPT = -1024


@dataclass(frozen=True)
class CTSeriesFacts:
    """Header of a CT that is written; UIDs are derived from ``seed``."""

    seed: str  #: same seed, same UIDs
    acquired: datetime
    patient_name: str = "Synthetic^Patient"
    patient_id: str = "SYNTHETIC"
    patient_birth_date: str = ""  #: YYYYMMDD or empty
    patient_sex: str = ""  #: M, F, O or empty
    accession_number: str = ""
    study_description: str = "Synthetic chest CT"
    series_description: str = "Synthetic, not a patient"
    body_part_examined: str = "CHEST"
    manufacturer: str = "vfnode"
    slice_thickness_mm: float | None = None  #: the spacing where None

    @property
    def study_instance_uid(self) -> str:
        """Study UID of this seed."""
        return derive_uid("synthetic study", self.seed)

    @property
    def series_instance_uid(self) -> str:
        """Series UID of this seed."""
        return derive_uid("synthetic series", self.seed)

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of reference UID of this seed."""
        return derive_uid("synthetic frame of reference", self.seed)


def write_ct_series(volume: CTVolume, folder: Path, facts: CTSeriesFacts) -> tuple[Path, ...]:
    """Write one file a slice, ``000001.dcm`` on, uncompressed Explicit VR Little Endian.

    Args:
        volume: its r and c axes must be perpendicular; k may lean (a tilted gantry).
        folder: made if it is not there.
        facts: everything that is not in the volume.

    Returns:
        The files, in the order of the k axis.

    Raises:
        GeometryError: the rows and columns are not perpendicular.
    """
    folder.mkdir(parents=True, exist_ok=True)
    common = _common(volume, facts)
    paths = []
    for index, hu in enumerate(volume.hu):
        dataset = Dataset()
        dataset.update(common)
        position = volume.affine[:3, 3] + index * volume.affine[:3, 0]
        _add_slice(dataset, index, position, facts)
        dataset.PixelData = (
            np.clip(hu.astype(np.int32) - INTERCEPT, 0, 65535).astype("<u2").tobytes()
        )
        dataset.file_meta = _file_meta(dataset.SOPInstanceUID)
        paths.append(folder / f"{index + 1:06d}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return tuple(paths)


def _common(volume: CTVolume, facts: CTSeriesFacts) -> Dataset:
    """Attributes that all slices share."""
    dataset = Dataset()
    _add_patient_and_study(dataset, facts)
    _add_series(dataset, facts)
    spacing = volume.spacing_mm
    axes = volume.affine[:3, :3] / spacing
    if abs(float(axes[:, 1] @ axes[:, 2])) > 1e-4:  # noqa: PLR2004 - a right angle
        raise GeometryError("rows and columns of a CT image must be perpendicular")
    dataset.ImageOrientationPatient = decimals([*axes[:, 2], *axes[:, 1]])
    dataset.PixelSpacing = decimals(spacing[1:])
    normal = np.cross(axes[:, 2], axes[:, 1])
    distance = abs(float(volume.affine[:3, 0] @ normal))
    dataset.SliceThickness = decimals([facts.slice_thickness_mm or distance])[0]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = volume.hu.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = INTERCEPT, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 300, 1500
    return dataset


def _add_patient_and_study(dataset: Dataset, facts: CTSeriesFacts) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = facts.patient_name
    dataset.PatientID = facts.patient_id
    dataset.PatientBirthDate = facts.patient_birth_date
    dataset.PatientSex = facts.patient_sex
    dataset.StudyInstanceUID = facts.study_instance_uid
    dataset.StudyID = "1"
    dataset.AccessionNumber = facts.accession_number
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = facts.study_description
    for part in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{part}Date", facts.acquired.strftime("%Y%m%d"))
        setattr(dataset, f"{part}Time", facts.acquired.strftime("%H%M%S"))


def _add_series(dataset: Dataset, facts: CTSeriesFacts) -> None:
    dataset.Modality = "CT"
    dataset.SeriesInstanceUID = facts.series_instance_uid
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = facts.series_description
    dataset.BodyPartExamined = facts.body_part_examined
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = facts.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = facts.manufacturer
    dataset.ManufacturerModelName = "synthetic CT"
    dataset.KVP = 120
    dataset.AcquisitionNumber = 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def _add_slice(dataset: Dataset, index: int, position_mm: FloatArray, facts: CTSeriesFacts) -> None:
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = derive_uid("synthetic slice", facts.seed, str(index))
    dataset.InstanceNumber = index + 1
    dataset.ImagePositionPatient = decimals(position_mm)


def _file_meta(sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = "VFNODE"
    return meta


def decimals(values: FloatArray | list[float]) -> list[DS]:
    """Decimal strings of at most 16 characters (PS3.5 6.2)."""
    return [DS(float(value), auto_format=True) for value in values]
