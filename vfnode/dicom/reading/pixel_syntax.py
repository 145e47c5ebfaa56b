"""In which compression encapsulated pixels are, by their first bytes."""

from __future__ import annotations

import struct

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

ITEM = b"\xfe\xff\x00\xe0"
RLE_HEADER_BYTES = 64
#: Compressions by their signature; of a family the declared member stands, else the first.
JPEG_2000 = (
    JPEG2000Lossless,
    JPEG2000,
    JPEG2000MCLossless,
    JPEG2000MC,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
)
#: Start-of-frame markers (ISO 10918-1 table B.1, ISO 14495-1).
JPEG_FRAMES = {
    0xC0: (JPEGBaseline8Bit, JPEGExtended12Bit),
    0xC1: (JPEGExtended12Bit,),
    0xC3: (JPEGLosslessSV1, JPEGLossless),
    0xF7: (JPEGLSLossless, JPEGLSNearLossless),
}


def sniffed_syntax(items: bytes, declared: UID) -> UID:
    """The transfer syntax of encapsulated pixels.

    Args:
        items: from the offset table on, at least to the first bytes of the first fragment.
        declared: what the file says; it stands where the bytes allow it or say nothing.
    """
    family = _family(_first_fragment(items))
    return declared if not family or declared in family else family[0]


def _first_fragment(items: bytes) -> bytes:
    """Bytes of the first item behind the offset table; empty where they are not there."""
    if items[:4] != ITEM:
        return b""
    start = 8 + struct.unpack("<I", items[4:8])[0]
    return items[start + 8 :] if items[start : start + 4] == ITEM else b""


def _family(fragment: bytes) -> tuple[UID, ...]:
    """Syntaxes that begin so."""
    if fragment.startswith((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")):
        return JPEG_2000
    if fragment.startswith(b"\xff\xd8"):
        return JPEG_FRAMES.get(_frame_marker(fragment), ())
    if len(fragment) >= RLE_HEADER_BYTES:
        segments, first = struct.unpack("<II", fragment[:8])
        if 1 <= segments <= 15 and first == RLE_HEADER_BYTES:  # noqa: PLR2004 - PS3.5 G.5
            return (RLELossless,)
    return ()


def _frame_marker(fragment: bytes) -> int:
    """The first start-of-frame marker of a JPEG stream; 0 where there is none."""
    at = 2
    while at + 4 <= len(fragment) and fragment[at] == 0xFF:  # noqa: PLR2004 - a marker
        marker = fragment[at + 1]
        if marker in JPEG_FRAMES:
            return marker
        at += 2 + struct.unpack(">H", fragment[at + 2 : at + 4])[0]
    return 0
