"""Enhanced CT files: one file a series, its slices as frames."""

import random
from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedCTImageStorage,
)

from tests.factories import make_ct_folder
from vfnode.spine.volume import CTVolume

SHARED = {
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
}


MOVED = ("ImagePositionPatient", *(name for names in SHARED.values() for name in names))


def frames_of(folder: Path, volume: CTVolume) -> list[Dataset]:
    """Single-frame images of a volume, in an order of their own."""
    frames = [pydicom.dcmread(path) for path in make_ct_folder(folder, volume)]
    random.Random(2).shuffle(frames)
    return frames


def item(source: Dataset, *keywords: str) -> list[Dataset]:
    """A sequence of one item with these attributes of a data set."""
    found = Dataset()
    for keyword in keywords:
        setattr(found, keyword, source[keyword].value)
    return [found]


def write_enhanced_ct(
    frames: Sequence[Dataset], path: Path, sop_class: str = EnhancedCTImageStorage
) -> None:
    """One multi-frame file; a frame's ``TemporalPositionIdentifier`` becomes its index."""
    enhanced = pydicom.dcmread(frames[0].filename)
    shared = Dataset()
    for sequence, keywords in SHARED.items():
        setattr(shared, sequence, item(enhanced, *keywords))
    for keyword in MOVED:
        delattr(enhanced, keyword)
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = []
    for frame in frames:
        groups, content = Dataset(), Dataset()
        groups.PlanePositionSequence = item(frame, "ImagePositionPatient")
        content.TemporalPositionIndex = int(frame.get("TemporalPositionIdentifier", 1))
        groups.FrameContentSequence = [content]
        enhanced.PerFrameFunctionalGroupsSequence.append(groups)
    enhanced.NumberOfFrames = len(frames)
    enhanced.PixelData = b"".join(frame.PixelData for frame in frames)
    enhanced.SOPClassUID = enhanced.file_meta.MediaStorageSOPClassUID = sop_class
    enhanced.save_as(path)
