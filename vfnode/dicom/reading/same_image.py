"""Whether two files show the same image, whatever else their headers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from vfnode.dicom.reading.image_faults import UNREADABLE

#: What a measurement depends on, beside the pixels.
MEASURED = (
    "SOPClassUID",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


def is_same_image(first: Path, second: Path) -> bool:
    """Whether the pixels and all that a measurement depends on are equal.

    Archives change other attributes and the compression of what they send on. What cannot be
    read is taken for another image.
    """
    try:
        one, other = dcmread(first), dcmread(second)
        return all(one.get(name) == other.get(name) for name in MEASURED) and _pixels_equal(
            one, other
        )
    except UNREADABLE:
        return False


def _pixels_equal(one: Dataset, other: Dataset) -> bool:
    if one.file_meta.TransferSyntaxUID == other.file_meta.TransferSyntaxUID:
        return bool(one.PixelData == other.PixelData)
    return np.array_equal(one.pixel_array, other.pixel_array)
