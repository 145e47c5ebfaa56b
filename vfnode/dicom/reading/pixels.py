"""Stored pixels -> Hounsfield units, one slice at a time into one volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder, pixel_array

from vfnode.dicom.reading.image_faults import ImageFault, told
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.errors import UnreadableInputError
from vfnode.spine.volume import AIR_HU

Pixels = npt.NDArray[Any]
#: Below the lowest HU of CT there is nothing: values beyond it are padding without a tag.
LOWEST_HU = -1024
INT16 = np.iinfo(np.int16)
#: Taken wherever it can: it refuses a frame that is cut short, while others that may be installed
#: beside it (pylibjpeg-libjpeg: JPEG lossless, JPEG-LS) fill the rest with what they please.
DECODER = "gdcm"


def read_hu(slices: Sequence[SliceHeader]) -> npt.NDArray[np.int16]:
    """Volume (K, R, C) of ordered slices, HU.

    Allocated once. Uncompressed 16-bit pixels are read straight into their place and turned
    into HU there: temporaries cost more than the arithmetic.

    Raises:
        UnreadableInputError: the pixels of a file are damaged, cut short or of a kind that
            CT has not; names the file.
    """
    first = slices[0].dataset
    volume = np.empty((len(slices), int(first.Rows), int(first.Columns)), np.int16)
    for header, place in zip(slices, volume, strict=True):
        try:
            _to_hu(_stored_pixels(header, place), header, place)
        except (OSError, ValueError, RuntimeError, AttributeError, KeyError) as error:
            raise UnreadableInputError(
                f"cannot read the pixels of {header.path}: {told(error)}"
            ) from error
    return volume


def _stored_pixels(header: SliceHeader, place: npt.NDArray[np.int16]) -> Pixels:
    """Stored values (R, C) before rescaling; they may lie in ``place`` (R, C) itself."""
    dataset = header.dataset
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise ImageFault("colour pixels are not CT")
    if header.pixel_offset == 0:
        return _decoded_pixels(header)
    kind = _stored_type(dataset)
    wide = kind.itemsize == place.itemsize
    pixels = place.view(kind) if wide else np.empty(place.shape, kind)
    with header.path.open("rb", buffering=0) as file:
        file.seek(header.pixel_offset + header.frame * pixels.nbytes)
        if file.readinto(pixels.reshape(-1).view(np.uint8)) != pixels.nbytes:  # type: ignore[arg-type]
            raise ImageFault("the file is cut short")
    _keep_significant_bits(pixels, dataset)
    return pixels


def _decoded_pixels(header: SliceHeader) -> Pixels:
    """One frame through pydicom's decoders: JPEG, JPEG-LS, JPEG 2000, RLE, deflated."""
    if header.dataset.file_meta.TransferSyntaxUID.is_deflated:
        frames: Pixels = pydicom.dcmread(header.path).pixel_array
        chosen: Pixels = frames.reshape(-1, *frames.shape[-2:])[header.frame]
        return chosen
    decoder = get_decoder(header.dataset.file_meta.TransferSyntaxUID)
    plugin = DECODER if DECODER in decoder.available_plugins else ""
    decoded: Pixels = pixel_array(header.path, index=header.frame, raw=True, decoding_plugin=plugin)
    return decoded


def _stored_type(dataset: Dataset) -> np.dtype[Any]:
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16, 32):
        raise ImageFault(f"BitsAllocated {bits} is not supported")
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    sign = "i" if int(dataset.PixelRepresentation) else "u"
    return np.dtype(f"{order}{sign}{bits // 8}")


def _keep_significant_bits(pixels: Pixels, dataset: Dataset) -> None:
    """Cut off what stands above BitsStored (old overlays), and extend the sign; in place."""
    spare = int(dataset.BitsAllocated) - int(dataset.BitsStored)
    if spare <= 0 or int(dataset.get("HighBit", dataset.BitsStored - 1)) != dataset.BitsStored - 1:
        return
    if int(dataset.PixelRepresentation):
        np.left_shift(pixels, spare, out=pixels)
        np.right_shift(pixels, spare, out=pixels)
    else:
        np.bitwise_and(pixels, pixels.dtype.type((1 << int(dataset.BitsStored)) - 1), out=pixels)


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
    value = dataset.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = [int(value), int(value if limit is None else limit)]
    if int(dataset.PixelRepresentation):
        bits = int(dataset.BitsAllocated)
        ends = [end - (1 << bits) if end >= 1 << (bits - 1) else end for end in ends]
    return min(ends), max(ends)
