"""Stored pixels of CT in every encoding become the same Hounsfield units."""

import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from tests.dicom.tools import edit, tool
from tests.factories import make_ct_folder, make_volume
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.spine.volume import CTVolume


@pytest.mark.parametrize(
    ("stored", "attributes", "hu"),
    [
        (np.uint16(1064), {}, 40),
        (np.uint16(65535), {}, 32767),  # beyond int16: clipped, never wrapped
        (np.uint16(0xF428), {"BitsStored": 12, "HighBit": 11}, 40),  # overlay in the high bits
        (np.int16(-500), {"PixelRepresentation": 1}, -1024),  # below air: no HU
        (np.int16(-2000), {"PixelRepresentation": 1, "PixelPaddingValue": 63536}, -1000),
        (np.uint16(0), {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 10}, -1000),
        (np.uint16(500), {"RescaleSlope": 0.5, "RescaleIntercept": -100.0}, 150),
        (np.int16(40), {"PixelRepresentation": 1, "RescaleIntercept": 0}, 40),
    ],
)
def test_stored_pixels_become_hounsfield_units(tmp_path, stored, attributes, hu):
    """Sign, spare bits, padding and rescaling as PS3.3 C.7.6.3 and C.8.2.1 have them."""
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    for path in paths:
        edit(path, PixelData=np.full((8, 8), stored).tobytes(), **attributes)

    series = read_ct_series([tmp_path])[0]

    assert np.unique(series.volume.hu).tolist() == [hu]


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("bits", [8, 10, 12, 13, 16])
def test_pixels_of_any_width_and_sign_become_hounsfield_units(tmp_path, bits, signed):
    """The lowest, a middle and the highest value that so many bits can hold."""
    kind = np.dtype(f"<{'iu'[1 - signed]}{1 if bits == 8 else 2}")
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    middle = (low + high) // 2
    row = np.array([low, middle, high, high, middle, low, low, high], np.int64).astype(kind)
    slope = 8.0 if bits == 8 else 0.02 if bits == 16 else 0.5
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    for path in paths:
        edit(
            path,
            BitsAllocated=8 * kind.itemsize,
            BitsStored=bits,
            HighBit=bits - 1,
            PixelRepresentation=signed,
            RescaleSlope=slope,
            RescaleIntercept=-100,
            PixelData=np.tile(row, (8, 1)).tobytes(),
        )

    found = read_ct_series([tmp_path])[0].volume.hu

    expected = np.maximum(np.rint(row.astype(float) * slope - 100), -1024)
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def test_each_slice_has_its_own_rescaling(tmp_path):
    """As positron emission scanners and some archives write it, for CT too."""
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    for index, path in enumerate(paths):
        stored = np.full((8, 8), (140 + 20 * index) * 4, np.uint16)
        edit(
            path, PixelData=stored.tobytes(), RescaleSlope=0.25, RescaleIntercept=-100 - 20 * index
        )

    assert np.unique(read_ct_series([tmp_path])[0].volume.hu).tolist() == [40]


def test_padding_is_found_in_implicit_vr_too(tmp_path):
    """Where the file does not say whether the padding value is signed."""
    for path in make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1))):
        pixels = np.full((8, 8), -2000, np.int16).tobytes()
        edit(path, PixelData=pixels, PixelRepresentation=1, PixelPaddingValue=63536)
        subprocess.run([tool("dcmconv"), "+ti", str(path), str(path)], check=True)

    assert np.unique(read_ct_series([tmp_path])[0].volume.hu).tolist() == [-1000]


@pytest.mark.parametrize(
    ("option", "syntax"),
    [
        ("+ti", ImplicitVRLittleEndian),
        ("+tb", ExplicitVRBigEndian),
        ("+td", DeflatedExplicitVRLittleEndian),
    ],
)
def test_every_uncompressed_syntax_is_read(tmp_path, option, syntax):
    """Rewritten by DCMTK; noise, so that deflating leaves more than the first 64 KiB."""
    volume = make_volume((10, 256, 240), (5, 1, 1))
    noise = np.random.default_rng(1).integers(-1000, 3000, volume.hu.shape).astype(np.int16)
    volume = CTVolume(noise, volume.affine.copy())
    for path in make_ct_folder(tmp_path, volume):
        subprocess.run([tool("dcmconv"), option, str(path), str(path)], check=True)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax

    np.testing.assert_array_equal(read_ct_series([tmp_path])[0].volume.hu, volume.hu)
