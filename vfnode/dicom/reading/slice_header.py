"""One CT slice without its pixels: a file, or a frame of an Enhanced CT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vfnode.dicom.reading.image_faults import ImageFault
from vfnode.dicom.reading.inherited_uid import inherited_uid
from vfnode.dicom.reading.series_key import SeriesKey, series_instance_uid, series_key
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


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One CT slice, a file or one frame of a file, without its pixels."""

    path: Path
    dataset: Dataset  #: everything before the pixels; shared by the frames of one file
    pixel_offset: int  #: byte at which the value of PixelData starts; 0 where it is compressed
    frame: int  #: from 0
    image_type: tuple[str, ...]
    position_mm: FloatArray  #: (3,) ImagePositionPatient
    orientation: FloatArray  #: (6,) ImageOrientationPatient
    pixel_spacing_mm: tuple[float, float]  #: between rows, between columns
    rescale: tuple[float, float]  #: slope, intercept
    stack: tuple[str, ...]  #: values of STACK_ATTRIBUTES, empty where there is none

    @property
    def normal(self) -> FloatArray:
        """Unit vector (3,) across the slice."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        unit: FloatArray = normal / np.linalg.norm(normal)
        return unit

    @property
    def sop_instance_uid(self) -> str:
        """Own UID; that of the file meta information where the data set has none."""
        meta = getattr(self.dataset, "file_meta", {})
        return str(self.dataset.get("SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID", ""))

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
    return str(dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID", ""))


def slice_header(path: Path, dataset: Dataset, pixel_offset: int, frame: int) -> SliceHeader:
    """Header of one frame of a data set; a single-frame image has frame 0 only.

    Raises:
        ImageFault, AttributeError, IndexError: what places the slice in the patient or turns its
            pixels into HU is missing or impossible.
    """
    part = _functional_groups(dataset, frame)
    spacing = _numbers(part, "PixelSpacing", "PixelMeasuresSequence")
    kind = part("FrameType", "CTImageFrameTypeSequence") or dataset.get("ImageType")
    header = SliceHeader(
        path=path,
        dataset=dataset,
        pixel_offset=pixel_offset,
        frame=frame,
        image_type=(kind,) if isinstance(kind, str) else tuple(kind or ()),
        position_mm=_numbers(part, "ImagePositionPatient", "PlanePositionSequence"),
        orientation=_numbers(part, "ImageOrientationPatient", "PlaneOrientationSequence"),
        pixel_spacing_mm=(float(spacing[0]), float(spacing[1])),
        rescale=_rescale(part),
        stack=tuple(str(part(*each) or "") for each in STACK_ATTRIBUTES.items()),
    )
    _check(header)
    return header


def _numbers(part: Any, keyword: str, sequence: str) -> FloatArray:
    try:
        return np.atleast_1d(np.array(part(keyword, sequence), float))
    except (TypeError, ValueError):
        raise ImageFault(f"{keyword} is missing or no number") from None


def _check(header: SliceHeader) -> None:
    if header.position_mm.shape != (3,) or header.orientation.shape != (6,):
        raise ImageFault("ImagePositionPatient or ImageOrientationPatient is empty")
    cross = np.linalg.norm(np.cross(header.orientation[:3], header.orientation[3:]))
    if not abs(cross - 1.0) < 0.05:  # noqa: PLR2004 - rounded cosines still pass
        raise ImageFault("ImageOrientationPatient is not two perpendicular unit vectors")
    if min(header.pixel_spacing_mm) <= 0:
        raise ImageFault("PixelSpacing is not positive")
    if not header.sop_instance_uid:
        raise ImageFault("SOPInstanceUID is missing")


def _rescale(part: Any) -> tuple[float, float]:
    slope, intercept = (
        _numbers(part, keyword, "PixelValueTransformationSequence")
        for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    if not np.isfinite([*slope, *intercept]).all():  # an absent one is no number
        raise ImageFault("RescaleSlope or RescaleIntercept is missing: not in HU")
    return float(slope[0]), float(intercept[0])


def _functional_groups(dataset: Dataset, frame: int) -> Any:
    """Look an attribute up: per frame, then shared (PS3.3 C.7.6.16), then at the top."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    groups = [*([per_frame[frame]] if per_frame else []), *(shared or [])]

    def look_up(keyword: str, sequence: str) -> Any:
        for group in groups:
            items = group.get(sequence)
            if items and items[0].get(keyword) is not None:
                return items[0].get(keyword)
        return dataset.get(keyword)

    return look_up
