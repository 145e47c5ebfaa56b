"""Encoders of every lossless transfer syntax that CT comes in, none of them our decoder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom.tools import tool

#: Byte of a JPEG 2000 codestream that holds sign and precision of its only component:
#: the markers SOC and SIZ, then 38 bytes of SIZ before Ssiz (ISO/IEC 15444-1 A.5.1).
SSIZ = 2 + 2 + 38


def _by_pydicom(path: Path, syntax: UID) -> None:
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)


def _by_dcmtk(path: Path, syntax: UID) -> None:
    """Process 14: with selection value 1, or with 6, which predicts from three neighbours."""
    process = ["+e1"] if syntax == JPEGLosslessSV1 else ["+el", "+sv", "6"]
    subprocess.run([tool("dcmcjpeg"), *process, str(path), str(path)], check=True)


def _by_openjph(path: Path, syntax: UID) -> None:
    """From a greyscale PNM; signed values go in shifted up, and the codestream says so after."""
    dataset = pydicom.dcmread(path)
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    stored = dataset.pixel_array.astype(np.int64) + (1 << (bits - 1) if signed else 0)
    plain, packed = path.with_suffix(".pgm"), path.with_suffix(".j2c")
    head = f"P5\n{dataset.Columns} {dataset.Rows}\n{(1 << bits) - 1}\n".encode()
    plain.write_bytes(head + stored.astype(">u2" if bits > 8 else "u1").tobytes())
    order = "RPCL" if syntax == HTJ2KLosslessRPCL else "LRCP"
    command = [tool("ojph_compress"), "-i", str(plain), "-o", str(packed)]
    subprocess.run(
        [*command, "-reversible", "true", "-prog_order", order], check=True, capture_output=True
    )
    stream = bytearray(packed.read_bytes())
    stream[SSIZ] |= 0x80 * signed
    _encapsulate(dataset, bytes(stream), syntax).save_as(path)


ENCODERS: dict[UID, Callable[[Path, UID], None]] = {
    RLELossless: _by_pydicom,
    JPEGLSLossless: _by_pydicom,  # CharLS, by pyjpegls
    JPEG2000Lossless: _by_pydicom,  # OpenJPEG, by pylibjpeg-openjpeg
    JPEGLossless: _by_dcmtk,
    JPEGLosslessSV1: _by_dcmtk,
    HTJ2KLossless: _by_openjph,
    HTJ2KLosslessRPCL: _by_openjph,
}


def compress(path: Path, syntax: UID) -> None:
    """Rewrite an uncompressed slice in a lossless syntax; skips where its encoder is absent."""
    dataset = pydicom.dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    ENCODERS[syntax](path, syntax)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax


def cut_pixels(path: Path) -> None:
    """Take the last quarter of the only compressed frame away; the file stays whole DICOM."""
    dataset = pydicom.dcmread(path)
    frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    short = frame[: len(frame) * 3 // 4 // 2 * 2]
    _encapsulate(dataset, short, dataset.file_meta.TransferSyntaxUID).save_as(path)


def _encapsulate(dataset: Dataset, frame: bytes, syntax: UID) -> Dataset:
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset
