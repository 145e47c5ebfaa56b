"""Lossless transfer syntaxes give back what was stored, bit for bit, or are refused."""

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless

from tests.dicom.reading.lossless import ENCODERS, compress, cut_pixels
from tests.dicom.tools import edit
from tests.factories import make_ct_folder, make_volume
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.image_faults import ImageFault
from vfnode.dicom.reading.pixels import read_hu
from vfnode.dicom.reading.selection import read_images
from vfnode.node.receiving.ct_contexts import TRANSFER_SYNTAXES

SYNTAXES = sorted(ENCODERS, key=lambda syntax: syntax.name)
SHAPE = (64, 72)


@pytest.fixture
def slice_path(tmp_path):
    """One uncompressed slice."""
    return make_ct_folder(tmp_path, make_volume((10, *SHAPE), (5, 1, 1)))[0]


def hu_of(path):
    """HU of the only slice of a file."""
    (header,) = read_images([path]).slices
    hu = np.empty(header.shape, np.int16)
    read_hu(header, hu)
    return hu


def stored_noise(bits, signed):
    """Noise over all that so many bits can hold, both ends included."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    noise = np.random.default_rng(bits).integers(low, high, SHAPE, endpoint=True)
    noise[0, :2] = low, high
    return noise.astype(f"<{'i' if signed else 'u'}{1 if bits == 8 else 2}")


def test_every_compressed_syntax_that_the_port_accepts_is_among_these():
    """What is received can be read."""
    assert {syntax for syntax in TRANSFER_SYNTAXES if syntax.is_encapsulated} == set(ENCODERS)


@pytest.mark.parametrize("signed", [0, 1], ids=["unsigned", "signed"])
@pytest.mark.parametrize("bits", [8, 12, 13, 16])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_lossless_compression_changes_nothing(slice_path, syntax, bits, signed):
    """Compressed by other people's encoders; sign and width are what decoders differ in."""
    stored = stored_noise(bits, signed)
    edit(
        slice_path,
        BitsAllocated=8 * stored.itemsize,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=signed,
        RescaleSlope=0.25,
        RescaleIntercept=-100,
        PixelData=stored.tobytes(),
    )
    plain = hu_of(slice_path)

    compress(slice_path, syntax)

    np.testing.assert_array_equal(hu_of(slice_path), plain)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_compressed_pixels_that_were_cut_short_are_refused(slice_path, syntax):
    """Never a slice whose lower part the decoder made up."""
    compress(slice_path, syntax)
    cut_pixels(slice_path)

    with pytest.raises(ImageFault):
        hu_of(slice_path)


def test_a_compressed_series_is_the_volume_that_was_written(tmp_path):
    """Through the whole reader, slice by slice."""
    volume = make_volume((10, *SHAPE), (5, 1, 1))
    for path in make_ct_folder(tmp_path, volume):
        compress(path, JPEG2000Lossless)

    np.testing.assert_array_equal(read_ct_series([tmp_path])[0].volume.hu, volume.hu)
