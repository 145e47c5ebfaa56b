"""Which files of a folder are slices of an original CT, and which are left out and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from vfnode.dicom.reading.dicom_file import DicomFile, read_dicom_files
from vfnode.dicom.reading.image_faults import ImageFault, NotHuFault
from vfnode.dicom.reading.left_out import LeftOut, WhyLeftOut
from vfnode.dicom.reading.pixels import check_pixels
from vfnode.dicom.reading.series_key import SeriesKey, series_instance_uid
from vfnode.dicom.reading.slice_header import (
    SliceHeader,
    frame_count,
    image_type,
    slice_header,
    sop_class_uid,
    sop_instance_uid,
)
from vfnode.errors import UnreadableInputError

CT_SOP_CLASSES = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)
#: Values of ImageType (PS3.3 C.7.6.1.1.2) that mark what is not a stack of original slices.
NOT_SLICES = frozenset({"LOCALIZER", "SCOUT", "MIP", "MINIP", "MPR", "PROJECTION IMAGE", "VRT"})


@dataclass(frozen=True)
class Images:
    """What stands in some files: slices of CT, and images that are none."""

    slices: tuple[SliceHeader, ...]
    left_out: tuple[LeftOut, ...]

    def by_series(self) -> dict[SeriesKey, list[SliceHeader]]:
        """Slices of each series of each patient, in no order."""
        found: dict[SeriesKey, list[SliceHeader]] = defaultdict(list)
        for header in self.slices:
            found[header.series_key].append(header)
        return dict(found)

    def left_out_of(self, series_instance_uid: str) -> tuple[LeftOut, ...]:
        """Images of a series that are no slices, and those that nobody can assign."""
        return tuple(
            each for each in self.left_out if each.series_instance_uid in ("", series_instance_uid)
        )


def read_images(paths: Sequence[Path]) -> Images:
    """Sort the images of files and folders (searched to any depth): one bad one harms only itself.

    Files of a folder that are not DICOM are passed over; a file that was named is not.

    Raises:
        UnreadableInputError: nothing there, no DICOM in it, or a named file that is none.
    """
    slices: list[SliceHeader] = []
    left_out: list[LeftOut] = []
    for found in read_dicom_files(paths):
        if isinstance(found, DicomFile):
            for image in _images(found):
                (slices if isinstance(image, SliceHeader) else left_out).append(image)  # type: ignore[arg-type]
        else:
            left_out.append(LeftOut(found[0], 0, "", "", WhyLeftOut.DAMAGED, str(found[1])))
    if not slices and not left_out:
        names = ", ".join(str(path) for path in paths) or "an empty list"
        raise UnreadableInputError(f"no DICOM file in {names}")
    return Images(tuple(slices), tuple(left_out))


def is_original(values: Iterable[str]) -> bool:
    """Whether an ImageType means a reconstructed slice and not something made of slices.

    DERIVED\\PRIMARY passes: filters and lossless rewriting leave geometry and HU alone.
    A missing ImageType passes too: old archives lost it, and geometry decides later.
    """
    found = [value.upper().strip() for value in values]
    if NOT_SLICES.intersection(found):
        return False
    return found[:2] != ["DERIVED", "SECONDARY"]


def _images(file: DicomFile) -> Iterator[SliceHeader | LeftOut]:
    """Every frame of a file, as a slice or as left out."""
    sop_class = sop_class_uid(file.dataset)
    if sop_class not in CT_SOP_CLASSES:
        yield _left_out(file, 0, WhyLeftOut.NOT_CT if sop_class else WhyLeftOut.DAMAGED)
        return
    for frame in range(frame_count(file.dataset)):
        try:
            yield _slice(file, frame)
        except NotHuFault as fault:
            yield _left_out(file, frame, WhyLeftOut.NOT_HU, str(fault))
        except ImageFault as fault:
            yield _left_out(file, frame, WhyLeftOut.NOT_A_SLICE, str(fault))


def _slice(file: DicomFile, frame: int) -> SliceHeader | LeftOut:
    """The slice; geometry is not looked at where the image is none by its own word.

    Raises:
        ImageFault: it lacks what a slice needs.
    """
    if not is_original(image_type(file.dataset, frame)):
        return _left_out(file, frame, WhyLeftOut.NOT_ORIGINAL)
    header = slice_header(file, frame)
    check_pixels(header)
    return header


def _left_out(file: DicomFile, frame: int, why: WhyLeftOut, detail: str = "") -> LeftOut:
    dataset = file.dataset
    is_known = why is not WhyLeftOut.DAMAGED
    series = series_instance_uid(dataset) if is_known else ""
    return LeftOut(file.path, frame, series, sop_instance_uid(dataset), why, detail)
