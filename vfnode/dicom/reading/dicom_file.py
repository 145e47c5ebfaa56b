"""A DICOM file as its bytes are, whatever its own words about them say.

Meta information that is missing, contradicts the data set or follows an odd preamble is common in
copies of archives. DCMTK and GDCM look at the bytes, and so do we: where the data set begins, its
byte order, explicit or implicit VR, deflated or not, encapsulated pixels or plain ones.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR

from vfnode.dicom.reading.image_faults import UNREADABLE, ImageFault, told
from vfnode.dicom.reading.pixel_syntax import sniffed_syntax
from vfnode.errors import UnreadableInputError

#: Looks into a file: enough for nearly every single-frame CT, then for nearly every Enhanced CT;
#: files without pixels, deflated ones and longer headers are read whole.
HEAD_BYTES = (64 * 1024, 4 * 1024 * 1024)
PREAMBLE_BYTES, PREFIX = 128, b"DICM"
PIXEL_DATA = 0x7FE00010
UNDEFINED_LENGTH = 0xFFFFFFFF
#: Groups that a data set may begin with: command, meta information, identification.
FIRST_GROUPS = (0x0000, 0x0002, 0x0004, 0x0008)
#: The first element of a data set is short: a group length, a character set, an image type.
LONGEST_FIRST = 1024
INFLATED_BYTES = 1 << 30
_VRS = {vr.value.encode() for vr in STANDARD_VR}


class NotDicom(ImageFault):
    """Nothing in the bytes looks like a data set."""


@dataclass(frozen=True, eq=False)
class DicomFile:
    """The data set of a file before its pixels, and where the pixels are."""

    path: Path
    dataset: Dataset  #: with file_meta; its transfer syntax is the real one
    pixel_offset: int  #: byte of the first pixel, or of the first item where encapsulated
    pixel_bytes: int  #: as the element says; UNDEFINED_LENGTH where encapsulated; 0 without pixels
    is_deflated: bool = False  #: then the offset counts in the inflated data set

    @property
    def is_encapsulated(self) -> bool:
        """Whether only a decoder can get at the pixels."""
        return self.pixel_bytes == UNDEFINED_LENGTH


@dataclass
class _PixelElement:
    """Remembers the PixelData element at which reading stops."""

    vr: str | None = None
    length: int = 0

    def stop(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag < PIXEL_DATA:
            return False
        if tag == PIXEL_DATA:
            self.vr, self.length = vr, length
        return True

    @property
    def value_offset(self) -> int:
        """From the start of the element to its value."""
        return 12 if self.vr in EXPLICIT_VR_LENGTH_32 else 8


def read_dicom_file(path: Path) -> DicomFile:
    """Read what stands before the pixels.

    Raises:
        NotDicom: the bytes are no DICOM.
        ImageFault: they are, and they are damaged; in words that quote nothing of the header.
    """
    try:
        with path.open("rb") as file:
            data = b""
            for more in HEAD_BYTES:
                data += file.read(more)
                found = _parse_head(path, data)
                if found is not None:
                    return found
            return _parse(path, data + file.read())
    except ImageFault:
        raise
    except UNREADABLE as error:
        raise ImageFault(f"cannot be read: {told(error)}") from None


def read_dicom_files(paths: Sequence[Path]) -> Iterator[DicomFile | tuple[Path, ImageFault]]:
    """Each DICOM file of some files and folders (searched to any depth), or what is wrong with it.

    Files of a folder that are not DICOM are passed over; a file that was named is not.

    Raises:
        UnreadableInputError: a file that was named is not there or is no DICOM.
    """
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            try:
                yield read_dicom_file(file)
            except NotDicom as error:
                if file is path:
                    raise UnreadableInputError(f"{path} is not a DICOM file") from error
            except ImageFault as error:
                if not file.exists():
                    raise UnreadableInputError(f"cannot read {path}: no such file") from error
                yield file, error


def has_dicom(paths: Sequence[Path]) -> bool:
    """Whether any file there is DICOM, damaged or not."""
    return any(True for _ in read_dicom_files(paths))


def inflated(data: bytes) -> bytes | None:
    """The data set of a deflated file (PS3.5 A.5), with or without a zlib header; else None."""
    for window_bits in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window_bits).decompress(data, INFLATED_BYTES)
        except zlib.error:
            continue
    return None


def inflated_dataset(path: Path) -> bytes | None:
    """The data set of a deflated file; None where it is not deflated."""
    data = path.read_bytes()
    stream = io.BytesIO(data)
    stream.seek(body_start(data))
    _read_meta(stream)
    return inflated(data[stream.tell() :])


def body_start(data: bytes) -> int:
    """Byte at which meta information or data set begins.

    Raises:
        NotDicom: at none of the places where files have it.
    """
    places = (PREAMBLE_BYTES + len(PREFIX), len(PREFIX), 0, PREAMBLE_BYTES)
    for start, prefixed in zip(places, (True, True, False, False), strict=True):
        if prefixed and data[start - len(PREFIX) : start] != PREFIX:
            continue
        if prefixed or _begins_dataset(data[start:]):
            return start
    raise NotDicom("it is not DICOM")


def _parse_head(path: Path, head: bytes) -> DicomFile | None:
    """The file, if its pixels begin within the head; an end inside a sequence is no fault yet."""
    try:
        found = _parse(path, head)
    except NotDicom:
        raise
    except UNREADABLE:
        return None
    return found if found.pixel_bytes and not found.is_deflated else None


def _parse(path: Path, data: bytes) -> DicomFile:
    stream = io.BytesIO(data)
    stream.seek(body_start(data))
    meta = _read_meta(stream)
    body = stream.tell()
    declared = UID(str(meta.get("TransferSyntaxUID") or ""))
    is_declared = declared == DeflatedExplicitVRLittleEndian
    looks_plain = _begins_dataset if is_declared else _looks_like_elements
    is_plain = looks_plain(data[body:])
    unpacked = None if is_plain else inflated(data[body:])
    if unpacked is not None:
        data, body, stream = unpacked, 0, io.BytesIO(unpacked)
    encoding = _encoding(data[body : body + 8])
    pixels = _PixelElement()
    stream.seek(body)
    dataset = read_dataset(stream, *encoding, stop_when=pixels.stop)
    offset = stream.tell() + pixels.value_offset
    if pixels.length == UNDEFINED_LENGTH:
        meta.TransferSyntaxUID = sniffed_syntax(data[offset:], declared)
    elif unpacked is None:
        meta.TransferSyntaxUID = _plain_syntax(*encoding)
    dataset.file_meta = meta
    return DicomFile(path, dataset, offset, pixels.length, unpacked is not None)


def _read_meta(stream: io.BytesIO) -> FileMetaDataset:
    """Group 2, explicit VR little endian; empty where there is none."""
    start = stream.tell()
    if stream.read(2) != b"\x02\x00":
        stream.seek(start)
        return FileMetaDataset()
    stream.seek(start)
    group = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != 2,  # noqa: PLR2004 - the meta group
    )
    return FileMetaDataset(group)


def _begins_dataset(data: bytes) -> bool:
    """Whether a first element stands here, in any encoding."""
    return _first_group(data) in FIRST_GROUPS and _looks_like_elements(data, LONGEST_FIRST)


def _looks_like_elements(data: bytes, longest: int | None = None) -> bool:
    """Whether an element of at most so many bytes begins here; by default, of those that follow."""
    if len(data) < 8:  # noqa: PLR2004 - tag, VR and length
        return False
    limit = len(data) if longest is None else longest
    return _is_explicit(data) or int.from_bytes(data[4:8], _order(data)) <= limit


def _is_explicit(data: bytes) -> bool:
    """Whether the element that begins here names its VR."""
    return data[4:6] in _VRS


def _first_group(data: bytes) -> int:
    return int.from_bytes(data[:2], _order(data))


def _encoding(first: bytes) -> tuple[bool, bool]:
    """Whether the data set is in implicit VR, and whether it is little endian."""
    return not _is_explicit(first), _order(first) == "little"


def _order(data: bytes) -> Literal["little", "big"]:
    """Byte order in which the first group number is the smaller one."""
    first = data[:2]
    is_little = int.from_bytes(first, "little") <= int.from_bytes(first, "big")
    return "little" if is_little else "big"


def _plain_syntax(is_implicit: bool, is_little_endian: bool) -> UID:
    """The transfer syntax of pixels that are not compressed."""
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian
