"""One CT slice without its pixels: a file, or a frame of an Enhanced CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vfnode.dicom.reading.dicom_file import DicomFile
from vfnode.dicom.reading.image_faults import UNREADABLE, ImageFault, NotHuFault
from vfnode.dicom.reading.inherited_uid import inherited_uid
from vfnode.dicom.reading.series_key import SeriesKey, series_instance_uid, series_key
from vfnode.dicom.reading.values import value_of
from vfnode.dicom.uids import derive_uid
from vfnode.spine.volume import FloatArray

#: Attributes in which the stacks of one series differ, and the functional group that holds each
#: in an Enhanced CT; the plainest sign of a phase first.
STACK_ATTRIBUTES = {
    "TemporalPositionIdentifier": "TemporalPositionSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "NominalPercentageOfCardiacPhase": "CardiacSynchronizationSequence",
    "TriggerTime": "CardiacSynchronizationSequence",
    "StackID": "FrameContentSequence",
    "AcquisitionNumber": "CTAcquisitionDetailsSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "ContrastBolusAgent": "ContrastBolusUsageSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "ConvolutionKernel": "CTReconstructionSequence",
    "ReconstructionDiameter": "CTReconstructionSequence",
    "KVP": "CTXRayDetailsSequence",
    "AcquisitionTime": "CTAcquisitionDetailsSequence",
}
#: Values of RescaleType (PS3.3 C.11.1.1.2) that do not contradict HU; others name another
#: quantity: an atomic number, a density, a perfusion.
HU_TYPES = ("", "HU", "US")

LookUp = Callable[[str, str], Any]


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One CT slice, a file or one frame of a file, without its pixels."""

    file: DicomFile
    frame: int  #: from 0
    image_type: tuple[str, ...]
    position_mm: FloatArray  #: (3,) ImagePositionPatient
    orientation: FloatArray  #: (6,) ImageOrientationPatient
    pixel_spacing_mm: tuple[float, float]  #: between rows, between columns
    shape: tuple[int, int]  #: rows, columns
    rescale: tuple[float, float]  #: slope, intercept
    stack: tuple[str, ...]  #: values of STACK_ATTRIBUTES, empty where there is none

    @property
    def path(self) -> Path:
        """File that holds the slice."""
        return self.file.path

    @property
    def dataset(self) -> Dataset:
        """Everything before the pixels; shared by the frames of one file."""
        return self.file.dataset

    @property
    def normal(self) -> FloatArray:
        """Unit vector (3,) across the slice."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        unit: FloatArray = normal / np.linalg.norm(normal)
        return unit

    @property
    def instance_number(self) -> int | None:
        """As viewers show it; None where it is missing or no number."""
        return instance_number(self.dataset)

    @property
    def sop_instance_uid(self) -> str:
        """Own UID, else that of the file meta information, else one derived from its place."""
        own = sop_instance_uid(self.dataset)
        place = [f"{value:.4f}" for value in self.position_mm]
        return own or derive_uid("slice", self.series_instance_uid, *place)

    @property
    def frame_of_reference_uid(self) -> str:
        """Own UID; derived from the series where the data set has none."""
        return frame_of_reference_uid(self.dataset)

    @property
    def series_instance_uid(self) -> str:
        """Own UID; derived from what the slices share where a copy lost it."""
        return series_instance_uid(self.dataset)

    @cached_property
    def series_key(self) -> SeriesKey:
        """Patient, study and series."""
        return series_key(self.dataset)


def frame_of_reference_uid(dataset: Dataset) -> str:
    """Own UID; derived from the series where the data set has none."""
    return inherited_uid(
        dataset, "FrameOfReferenceUID", "frame of reference", series_instance_uid(dataset)
    )


def sop_class_uid(dataset: Dataset) -> str:
    """SOP class of a data set; that of the file meta information where it has none."""
    meta = getattr(dataset, "file_meta", {})
    return str(value_of(dataset, "SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")


def sop_instance_uid(dataset: Dataset) -> str:
    """Own UID, else that of the file meta information, else empty."""
    meta = getattr(dataset, "file_meta", {})
    return str(value_of(dataset, "SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID") or "")


def instance_number(dataset: Dataset) -> int | None:
    """The number that viewers show; only a label, so that nonsense in it counts for nothing."""
    try:
        return int(str(value_of(dataset, "InstanceNumber")))
    except ValueError:
        return None


def frame_count(dataset: Dataset) -> int:
    """Frames of a file; 1 where it does not say."""
    try:
        return max(1, int(value_of(dataset, "NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return max(1, len(value_of(dataset, "PerFrameFunctionalGroupsSequence") or ()))


def image_type(dataset: Dataset, frame: int) -> tuple[str, ...]:
    """ImageType, or FrameType of a frame; empty where the header does not say."""
    return _image_type(functional_groups(dataset, frame))


def slice_header(file: DicomFile, frame: int) -> SliceHeader:
    """Header of one frame of a file; a single-frame image has frame 0 only.

    Raises:
        ImageFault: what places the slice in the patient or turns its pixels into HU is missing
            or impossible.
        NotHuFault: they are no HU by the header's own word.
    """
    look_up = functional_groups(file.dataset, frame)
    spacing = _numbers(look_up, "PixelSpacing", "PixelMeasuresSequence", 2)
    header = SliceHeader(
        file=file,
        frame=frame,
        image_type=_image_type(look_up),
        position_mm=_numbers(look_up, "ImagePositionPatient", "PlanePositionSequence", 3),
        orientation=_numbers(look_up, "ImageOrientationPatient", "PlaneOrientationSequence", 6),
        pixel_spacing_mm=(float(spacing[0]), float(spacing[1])),
        shape=_shape(file.dataset),
        rescale=_rescale(look_up),
        stack=tuple(_text(look_up, *each) for each in STACK_ATTRIBUTES.items()),
    )
    cross = np.linalg.norm(np.cross(header.orientation[:3], header.orientation[3:]))
    if not abs(cross - 1.0) < 0.05:  # noqa: PLR2004 - rounded cosines still pass
        raise ImageFault("ImageOrientationPatient is not two perpendicular unit vectors")
    if min(header.pixel_spacing_mm) <= 0:
        raise ImageFault("PixelSpacing is not positive")
    return header


def functional_groups(dataset: Dataset, frame: int) -> LookUp:
    """Look an attribute up: per frame, then shared (PS3.3 C.7.6.16), then at the top.

    Raises:
        ImageFault: there are groups, and none for this frame.
    """
    per_frame = value_of(dataset, "PerFrameFunctionalGroupsSequence")
    shared = value_of(dataset, "SharedFunctionalGroupsSequence")
    if not per_frame and not shared:
        return lambda keyword, _sequence: value_of(dataset, keyword)
    if per_frame and frame >= len(per_frame):
        raise ImageFault("the frame has no functional groups")
    groups = [*([per_frame[frame]] if per_frame else []), *(shared or [])]

    def look_up(keyword: str, sequence: str) -> Any:
        for group in groups:
            items = value_of(group, sequence)
            found = value_of(items[0], keyword) if items else None
            if found is not None:
                return found
        return value_of(dataset, keyword)

    return look_up


def _numbers(look_up: LookUp, keyword: str, sequence: str, count: int) -> FloatArray:
    try:
        found = np.atleast_1d(np.array(look_up(keyword, sequence), float))
    except (TypeError, ValueError):
        raise ImageFault(f"{keyword} is missing or no number") from None
    if found.shape != (count,) or not np.isfinite(found).all():
        raise ImageFault(f"{keyword} is missing or no number")
    return found


def _text(look_up: LookUp, keyword: str, sequence: str) -> str:
    return str(look_up(keyword, sequence) or "").strip()


def _image_type(look_up: LookUp) -> tuple[str, ...]:
    kind = look_up("FrameType", "CTImageFrameTypeSequence") or look_up("ImageType", "")
    return (kind,) if isinstance(kind, str) else tuple(kind or ())


def _shape(dataset: Dataset) -> tuple[int, int]:
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
    except UNREADABLE:
        raise ImageFault("Rows or Columns is missing or no number") from None
    if min(rows, columns) < 1:
        raise ImageFault("Rows or Columns is not positive")
    return rows, columns


def _rescale(look_up: LookUp) -> tuple[float, float]:
    try:
        slope, intercept = (
            float(_numbers(look_up, keyword, "PixelValueTransformationSequence", 1)[0])
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
    except ImageFault:
        raise NotHuFault("RescaleSlope or RescaleIntercept is missing") from None
    if slope == 0:
        raise NotHuFault("RescaleSlope is zero")
    kind = _text(look_up, "RescaleType", "PixelValueTransformationSequence").upper()
    if kind not in HU_TYPES:
        raise NotHuFault("RescaleType names another quantity")
    return slope, intercept
