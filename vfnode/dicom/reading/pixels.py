"""Stored pixels of one slice -> Hounsfield units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import as_pixel_options, get_decoder

from vfnode.dicom.reading.dicom_file import inflated_dataset
from vfnode.dicom.reading.image_faults import UNREADABLE, ImageFault, told
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.dicom.reading.values import value_of
from vfnode.spine.volume import AIR_HU

Pixels = npt.NDArray[Any]
#: Below the lowest HU of CT there is nothing: values beyond it are padding without a tag.
LOWEST_HU = -1024
INT16 = np.iinfo(np.int16)
#: Taken wherever it can: it refuses a frame that is cut short, while others that may be installed
#: beside it (pylibjpeg-libjpeg: JPEG lossless, JPEG-LS) fill the rest with what they please.
DECODER = "gdcm"


def check_pixels(header: SliceHeader) -> None:
    """Look, without decoding, whether a slice has pixels as CT has them.

    Raises:
        ImageFault: none, colour, of an unknown width, or cut short.
    """
    dataset, file = header.dataset, header.file
    try:
        samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.BitsAllocated)
        stored, _ = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    except UNREADABLE:
        raise ImageFault("what describes the pixels is missing or no number") from None
    if samples != 1:
        raise ImageFault("colour pixels are not CT")
    if bits not in (8, 16, 32) or not 1 <= stored <= bits:
        raise ImageFault(f"BitsAllocated {bits} with BitsStored {stored} is not supported")
    if file.pixel_bytes == 0:
        raise ImageFault("there are no pixels")
    if file.is_encapsulated or file.is_deflated:
        return
    wanted = (header.frame + 1) * header.shape[0] * header.shape[1] * bits // 8
    there = file.path.stat().st_size - file.pixel_offset
    if min(there, file.pixel_bytes) < wanted:
        raise ImageFault("the file is cut short")


def read_hu(header: SliceHeader, place: npt.NDArray[np.int16]) -> None:
    """Write the HU of one slice into ``place`` (R, C).

    Uncompressed 16-bit pixels are read straight into their place and turned into HU there:
    temporaries cost more than the arithmetic.

    Raises:
        ImageFault: the pixels are damaged or cut short.
    """
    try:
        _to_hu(_stored_pixels(header, place), header, place)
    except ImageFault:
        raise
    except (*UNREADABLE, RuntimeError) as error:
        raise ImageFault(f"the pixels cannot be read: {told(error)}") from error


def _stored_pixels(header: SliceHeader, place: npt.NDArray[np.int16]) -> Pixels:
    """Stored values (R, C) before rescaling; they may lie in ``place`` (R, C) itself."""
    if header.file.is_encapsulated:
        return _decoded_pixels(header)
    kind = _stored_type(header.dataset)
    if header.file.is_deflated:
        return _inflated_pixels(header, kind)
    wide = kind.itemsize == place.itemsize
    pixels = place.view(kind) if wide else np.empty(place.shape, kind)
    with header.path.open("rb", buffering=0) as file:
        file.seek(header.file.pixel_offset + header.frame * pixels.nbytes)
        if file.readinto(pixels.reshape(-1).view(np.uint8)) != pixels.nbytes:  # type: ignore[arg-type]
            raise ImageFault("the file is cut short")
    _keep_significant_bits(pixels, header.dataset)
    return pixels


def _decoded_pixels(header: SliceHeader) -> Pixels:
    """One frame through pydicom's decoders: JPEG, JPEG-LS, JPEG 2000, RLE."""
    syntax = header.dataset.file_meta.TransferSyntaxUID
    decoder = get_decoder(syntax)
    plugin = DECODER if DECODER in decoder.available_plugins else ""
    options: dict[str, Any] = as_pixel_options(
        header.dataset, transfer_syntax_uid=syntax, pixel_keyword="PixelData"
    )
    with header.path.open("rb") as file:
        file.seek(header.file.pixel_offset)
        decoded: Pixels = decoder.as_array(
            file, index=header.frame, raw=True, decoding_plugin=plugin, **options
        )[0]
    return decoded


def _inflated_pixels(header: SliceHeader, kind: np.dtype[Any]) -> Pixels:
    """One frame of a deflated file."""
    data = inflated_dataset(header.path) or b""
    count = header.shape[0] * header.shape[1]
    start = header.file.pixel_offset + header.frame * count * kind.itemsize
    if len(data) < start + count * kind.itemsize:
        raise ImageFault("the file is cut short")
    pixels: Pixels = np.frombuffer(data, kind, count, start).reshape(header.shape).copy()
    _keep_significant_bits(pixels, header.dataset)
    return pixels


def _stored_type(dataset: Dataset) -> np.dtype[Any]:
    bits = int(dataset.BitsAllocated)
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    sign = "i" if int(dataset.PixelRepresentation) else "u"
    return np.dtype(f"{order}{sign}{bits // 8}")


def _keep_significant_bits(pixels: Pixels, dataset: Dataset) -> None:
    """Cut off what stands above BitsStored (old overlays), and extend the sign; in place."""
    stored = int(dataset.BitsStored)
    spare = int(dataset.BitsAllocated) - stored
    if spare <= 0 or int(dataset.get("HighBit", stored - 1)) != stored - 1:
        return
    if int(dataset.PixelRepresentation):
        np.left_shift(pixels, spare, out=pixels)
        np.right_shift(pixels, spare, out=pixels)
    else:
        np.bitwise_and(pixels, pixels.dtype.type((1 << stored) - 1), out=pixels)


def _to_hu(stored: Pixels, header: SliceHeader, place: npt.NDArray[np.int16]) -> None:
    """Write the HU of one slice into ``place`` (R, C); padding becomes air."""
    slope, intercept = header.rescale
    padding = _padding_range(header.dataset)
    padded = None if padding is None else (stored >= padding[0]) & (stored <= padding[1])
    if slope == 1.0 and intercept.is_integer() and _sums_fit(stored, header.dataset, intercept):
        # Wrap-around cancels: the sum and its terms are all taken modulo 2^16.
        wrapped = stored.view(stored.dtype.str.replace("u", "i"))
        np.add(wrapped, np.int16(intercept), out=place, casting="unsafe")
    else:
        exact = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        place[:] = np.rint(np.clip(exact, INT16.min, INT16.max)).astype(np.int16)
    np.maximum(place, LOWEST_HU, out=place)
    if padded is not None:
        place[padded] = AIR_HU


def _sums_fit(stored: Pixels, dataset: Dataset, intercept: float) -> bool:
    """Whether stored values plus the intercept stay within int16; looks only if it must."""
    if stored.itemsize != INT16.dtype.itemsize or not INT16.min <= intercept <= INT16.max:
        return False
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if low + intercept < INT16.min or high + intercept > INT16.max:
        low, high = int(stored.min()), int(stored.max())
    return bool(low + intercept >= INT16.min and high + intercept <= INT16.max)


def _padding_range(dataset: Dataset) -> tuple[int, int] | None:
    """Stored values that are padding (PS3.3 C.7.5.1.1.2), lowest and highest.

    Written as US by many scanners whose pixels are signed: 63536 then means -2000.
    """
    value = value_of(dataset, "PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = value_of(dataset, "PixelPaddingRangeLimit")
    ends = [value, limit if isinstance(limit, int) else value]
    if int(dataset.PixelRepresentation):
        bits = int(dataset.BitsAllocated)
        ends = [end - (1 << bits) if end >= 1 << (bits - 1) else end for end in ends]
    return min(ends), max(ends)
