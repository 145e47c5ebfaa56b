"""Which files of a folder are slices of an original CT, and which of them belong together."""

from __future__ import annotations

import io
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from vfnode.dicom.reading.image_faults import told
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.dicom.reading.slice_header import SliceHeader, slice_header, sop_class_uid
from vfnode.errors import UnreadableInputError

CT_SOP_CLASSES = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)
#: Values of ImageType (PS3.3 C.7.6.1.1.2) that mark what is not a stack of original slices.
NOT_SLICES = frozenset({"LOCALIZER", "SCOUT", "MIP", "MINIP", "MPR", "PROJECTION IMAGE", "VRT"})
#: Enough for the header of nearly every single-frame CT; longer ones are read again whole.
HEAD_BYTES = 64 * 1024
#: What pydicom raises on a file that is damaged, or cut by HEAD_BYTES.
DAMAGE = (EOFError, ValueError, KeyError, NotImplementedError, zlib.error)


def read_headers(paths: Sequence[Path]) -> list[SliceHeader]:
    """Headers of all original CT slices in files and folders (searched to any depth).

    Files of a folder that are not DICOM are passed over; a file that was named is not.

    Raises:
        UnreadableInputError: nothing there, no DICOM in it, or a damaged file; names it.
    """
    datasets = list(read_datasets(paths))
    if not datasets:
        names = ", ".join(str(path) for path in paths) or "an empty list"
        raise UnreadableInputError(f"no DICOM file in {names}")
    return [
        header
        for path, dataset, offset in datasets
        if sop_class_uid(dataset) in CT_SOP_CLASSES
        for header in _slices(path, dataset, offset)
        if is_original(header.image_type)
    ]


def is_original(image_type: Iterable[str]) -> bool:
    """Whether an ImageType means a reconstructed slice and not something made of slices.

    DERIVED\\PRIMARY passes: filters and lossless rewriting leave geometry and HU alone.
    A missing ImageType passes too: old archives lost it, and geometry decides later.
    """
    values = [value.upper().strip() for value in image_type]
    if NOT_SLICES.intersection(values):
        return False
    return values[:2] != ["DERIVED", "SECONDARY"]


def group_slices(headers: Iterable[SliceHeader]) -> dict[SeriesKey, list[SliceHeader]]:
    """The main stack of each series: its key -> slices in no order.

    A stack has one orientation, matrix, pixel spacing and frame of reference. The largest
    stack of a series is kept: localizers that hide in a series without saying so have
    another orientation or matrix, and there are few of them.
    """
    stacks: dict[SeriesKey, dict[tuple[Any, ...], list[SliceHeader]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for header in headers:
        key = (
            *(np.round(header.orientation, 2) + 0.0).tolist(),
            header.dataset.Rows,
            header.dataset.Columns,
            *np.round(header.pixel_spacing_mm, 3).tolist(),
        )
        stacks[header.series_key][key].append(header)
    return {
        series: _one_frame_of_reference(max(found.values(), key=len))
        for series, found in stacks.items()
    }


def _one_frame_of_reference(stack: list[SliceHeader]) -> list[SliceHeader]:
    """The slices of the largest frame of reference.

    All of them where nearly every slice has its own: some de-identification (LIDC-IDRI)
    draws a new UID for each file, which cannot have been the scanner's doing.
    """
    found: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in stack:
        found[header.frame_of_reference_uid].append(header)
    return stack if len(found) > len(stack) / 2 else max(found.values(), key=len)


def read_datasets(paths: Sequence[Path]) -> Iterator[tuple[Path, Dataset, int]]:
    """Each DICOM file: its path, its data set before the pixels, and where PixelData starts.

    Raises:
        UnreadableInputError: a file that was named is no DICOM, or one is damaged.
    """
    for path in paths:
        if path.is_dir():
            for inner in sorted(p for p in path.rglob("*") if p.is_file()):
                try:
                    yield _read_head(inner)
                except InvalidDicomError:
                    continue  # a DICOMDIR's neighbours: notes, checksums, viewers
        else:
            try:
                yield _read_head(path)
            except InvalidDicomError as error:
                raise UnreadableInputError(f"{path} is not a DICOM file") from error


def _read_head(path: Path) -> tuple[Path, Dataset, int]:
    """Data set before the pixels, and the byte at which the PixelData element starts."""
    try:
        with path.open("rb") as file:
            head = io.BytesIO(file.read(HEAD_BYTES))
            try:
                dataset = pydicom.dcmread(head, stop_before_pixels=True)
                complete = _at_pixel_data(head)
            except DAMAGE:
                complete = False
            if not complete:
                file.seek(0)
                dataset = pydicom.dcmread(file, stop_before_pixels=True)
                return path, dataset, file.tell()
            return path, dataset, head.tell()
    except InvalidDicomError:
        raise
    except (OSError, *DAMAGE) as error:
        raise UnreadableInputError(f"cannot read {path}: {told(error)}") from error


def _at_pixel_data(file: io.BytesIO) -> bool:
    """Whether the next element is PixelData (7FE0,0010), in either byte order."""
    start = file.tell()
    tag = file.read(4)
    file.seek(start)
    return tag in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")


def _slices(path: Path, dataset: Dataset, offset: int) -> Iterator[SliceHeader]:
    try:
        frames = int(dataset.get("NumberOfFrames") or 1)
        start = _value_offset(dataset, offset)
        for frame in range(frames):
            yield slice_header(path, dataset, start, frame)
    except (AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise UnreadableInputError(f"{path} lacks what places a CT slice: {told(error)}") from error


def _value_offset(dataset: Dataset, element_offset: int) -> int:
    """Byte of the first pixel in the file; 0 where only a decoder can get at the pixels."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated:
        return 0
    return element_offset + (8 if syntax.is_implicit_VR else 12)
