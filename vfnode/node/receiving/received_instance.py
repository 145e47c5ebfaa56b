"""Header of one received instance: the UIDs it is filed by, and the file meta group before it.

Nothing here decodes the data set: of an instance of half a megabyte only the few
hundred bytes before the series UID are looked at.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import uid as dicom_uid
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from vfnode.dicom.reading.image_faults import UNREADABLE
from vfnode.dicom.reading.inherited_uid import USABLE
from vfnode.dicom.reading.series_key import IDENTITY, SeriesKey, patient_digest
from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from vfnode.errors import InvalidInstanceError

PREAMBLE = b"\x00" * 128 + b"DICM"
HEADER_BYTES = 65536  #: of a deflated data set that are inflated to find the UIDs

_SOP_INSTANCE_UID, _STUDY_UID, _SERIES_UID = Tag(0x00080018), Tag(0x0020000D), Tag(0x0020000E)
_UIDS = [_SOP_INSTANCE_UID, _STUDY_UID, _SERIES_UID]
_WANTED = [*_UIDS, *map(Tag, IDENTITY), Tag("SpecificCharacterSet")]


@dataclass(frozen=True)
class ReceivedInstance:
    """One C-STORE request: what it is by its command set, and its bytes as they came."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes  #: encoded as the transfer syntax says

    def file_bytes(self) -> bytes:
        """The instance as a DICOM file (PS3.10 7.1)."""
        return b"".join((PREAMBLE, _file_meta(self), self.dataset))


def series_of(instance: ReceivedInstance) -> SeriesKey:
    """The series that an instance belongs to, from the head of its data set.

    Raises:
        InvalidInstanceError: a UID is missing or is none, the data set contradicts the
            request, or it cannot be read so far.
    """
    syntax = dicom_uid.UID(instance.transfer_syntax_uid)
    try:
        head = read_dataset(
            BytesIO(_head(instance)),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > _SERIES_UID,
            specific_tags=_WANTED,
        )
        found = [str(head[tag].value or "") if tag in head else "" for tag in _UIDS]
        patient = patient_digest(head)
    except UNREADABLE as error:
        raise InvalidInstanceError(f"the data set cannot be read: {type(error).__name__}") from None
    if found[0] != instance.sop_instance_uid:
        raise InvalidInstanceError("SOPInstanceUID differs between request and data set")
    for name, uid in zip(("SOP", "Study", "Series"), found, strict=True):
        if not USABLE.fullmatch(uid):
            raise InvalidInstanceError(f"{name}InstanceUID is missing or is no UID")
    return SeriesKey(patient, found[1], found[2])


def _head(instance: ReceivedInstance) -> bytes:
    if instance.transfer_syntax_uid != dicom_uid.DeflatedExplicitVRLittleEndian:
        return instance.dataset
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(instance.dataset, HEADER_BYTES)


def _file_meta(instance: ReceivedInstance) -> bytes:
    """File Meta Information of PS3.10 table 7.1-1, always explicit VR little endian."""
    elements = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _short_element(0x0002, b"UI", instance.sop_class_uid, b"\x00"),
            _short_element(0x0003, b"UI", instance.sop_instance_uid, b"\x00"),
            _short_element(0x0010, b"UI", instance.transfer_syntax_uid, b"\x00"),
            _short_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\x00"),
            _short_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
        )
    )
    return b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(elements)) + elements


def _short_element(element: int, vr: bytes, text: str, pad: bytes) -> bytes:
    value = text.encode("ascii")
    value += pad * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value
