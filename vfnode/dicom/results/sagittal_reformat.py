"""Sagittal planes through the column as derived CT images (PS3.3 A.3): real planes, true places.

Viewers scroll, window and measure them like the CT itself and draw reference lines, which no
straightened picture allows.
"""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DS

from vfnode.dicom.ct_writer import decimals
from vfnode.dicom.reading.ct_series import CTSeries
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.templates import texts
from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID
from vfnode.dicom.vocabulary import code_item, concept
from vfnode.spine.sagittal_planes import OUTSIDE_HU, SagittalPlanes, sagittal_planes

#: Bone window, as the pictures have it.
WINDOW_CENTER_HU, WINDOW_WIDTH_HU = 300, 1500


def build_sagittal_reformat(building: Building) -> list[Dataset] | None:
    """One CT image a plane, patient's right to left; None where no spine was found."""
    context = building.context
    spine = context.analysis.report.spine
    if spine is None or not isinstance(context.series, CTSeries):
        return None
    planes = sagittal_planes(context.series.volume, spine)
    common = _common(context, planes)
    return [_image(common, context, planes, index) for index in range(len(planes.hu))]


def _common(context: ResultContext, planes: SagittalPlanes) -> Dataset:
    """All that the planes share."""
    image = Dataset()
    image.update(context.series.header)
    _add_series(image, context)
    _add_plane(image, context, planes)
    _add_pixels(image, planes)
    return image


def _add_series(image: Dataset, context: ResultContext) -> None:
    settings = context.settings
    wording = texts("sr_texts.json", settings.language)
    date, time = context.created.strftime("%Y%m%d"), context.created.strftime("%H%M%S")
    image.SeriesDate = image.ContentDate = image.InstanceCreationDate = date
    image.SeriesTime = image.ContentTime = image.InstanceCreationTime = time
    image.Modality = "CT"
    image.SeriesInstanceUID = context.uid("reformat series")
    image.SeriesNumber = settings.reformat_series_number
    image.SeriesDescription = wording["reformat_series"].format(product=PRODUCT)
    image.Manufacturer = image.ManufacturerModelName = PRODUCT
    image.SoftwareVersions = settings.version
    image.BodyPartExamined = "SPINE"  # never a paired part, which would ask for a Laterality
    image.PatientPosition = ""  # the planes say where they lie
    image.ContentQualification = "RESEARCH"


def _add_plane(image: Dataset, context: ResultContext, planes: SagittalPlanes) -> None:
    image.FrameOfReferenceUID = context.series.frame_of_reference_uid
    image.PositionReferenceIndicator = ""
    image.ImageOrientationPatient = decimals([*planes.row, *planes.column])
    image.PixelSpacing = decimals([planes.pixel_mm] * 2)
    image.SpacingBetweenSlices = DS(planes.spacing_mm, auto_format=True)
    image.SliceThickness = ""  # one sampled plane each, of no thickness of its own


def _add_pixels(image: Dataset, planes: SagittalPlanes) -> None:
    image.ImageType = ["DERIVED", "SECONDARY", "MPR"]
    image.KVP = image.AcquisitionNumber = None  # of the CT, not of a reformat (type 2)
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = planes.hu.shape[1:]
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 1
    image.PixelPaddingValue = OUTSIDE_HU
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
    image.WindowCenter, image.WindowWidth = WINDOW_CENTER_HU, WINDOW_WIDTH_HU
    image.BurnedInAnnotation, image.LossyImageCompression = "NO", "00"


def _image(common: Dataset, context: ResultContext, planes: SagittalPlanes, index: int) -> Dataset:
    image = Dataset()
    image.update(common)
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = context.uid(f"reformat {index + 1}")
    image.InstanceNumber = index + 1
    image.ImagePositionPatient = decimals(planes.origins_mm[index])
    wording = texts("sr_texts.json", context.settings.language)["derivation"]["reformat"]
    image.DerivationDescription = wording.format(spacing=planes.spacing_mm, pixel=planes.pixel_mm)
    image.DerivationCodeSequence = [code_item(concept("reformatting"))]
    image.PixelData = planes.hu[index].astype("<i2").tobytes()
    image.file_meta = _file_meta(image.SOPInstanceUID, context)
    return image


def _file_meta(sop_instance_uid: str, context: ResultContext) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"VFNODE_{context.settings.version}"[:16]
    return meta
