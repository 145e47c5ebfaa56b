"""Reading CT series: what is taken, what is refused, and what is named in the error."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    JPEG2000Lossless,
)

from tests.dicom.tools import edit, refusal
from tests.factories import make_ct_folder, make_series, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.left_out import WhyLeftOut
from vfnode.errors import UnreadableInputError
from vfnode.spine.reason import Reason

LIDC_0314 = SHARED / "data" / "lidc-idri-0314"
LIDC_0001 = SHARED / "data" / "lidc-idri-0001"
SIEMENS_J2K = SHARED / "data" / "totalsegmentator-example" / "dicom-20-slices"


def test_a_series_is_read_back_voxel_by_voxel(tmp_path):
    """HU and affine of a written series come back as they were."""
    volume = make_volume()

    series = make_series(tmp_path, volume)

    np.testing.assert_array_equal(series.volume.hu, volume.hu)
    np.testing.assert_allclose(series.volume.affine, volume.affine, atol=1e-6)
    assert series.volume.hu.dtype == np.int16


def test_thin_slices_come_first_and_other_series_are_kept_apart(tmp_path):
    """A study with two reconstructions gives two volumes, the thinner one first."""
    make_series(tmp_path / "thick", make_volume((20, 16, 16), (5, 1, 1)), seed="thick")
    make_series(tmp_path / "thin", make_volume((50, 16, 16), (2, 1, 1)), seed="thin")

    found = read_ct_series([tmp_path])

    assert [round(float(series.volume.spacing_mm[0]), 2) for series in found] == [2.0, 5.0]


def test_a_series_that_cannot_be_read_does_not_hide_one_that_can(tmp_path):
    """A three-slice bolus series beside the chest CT is passed over."""
    make_ct_folder(tmp_path / "bolus", make_volume((3, 16, 16)), seed="bolus")
    make_ct_folder(tmp_path / "chest", seed="chest")

    assert len(read_ct_series([tmp_path])) == 1


def test_files_that_are_not_dicom_are_passed_over_in_a_folder(tmp_path):
    """A viewer's notes on a disc do no harm."""
    make_ct_folder(tmp_path)
    (tmp_path / "README.txt").write_text("a viewer")

    assert len(read_ct_series([tmp_path])[0].instances) == 60


@pytest.mark.parametrize("name", ["missing.dcm", "notes.txt"])
def test_a_named_file_that_is_not_dicom_is_named_in_the_error(tmp_path, name):
    """One clear sentence with the file's name."""
    (tmp_path / "notes.txt").write_text("not DICOM")

    with pytest.raises(UnreadableInputError, match=name):
        read_ct_series([tmp_path / name])


def test_an_empty_folder_is_named_in_the_error(tmp_path):
    """No DICOM at all is an unreadable input, not an empty result."""
    with pytest.raises(UnreadableInputError, match="no DICOM file"):
        read_ct_series([tmp_path])


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless])
def test_a_file_cut_short_is_left_out_and_the_others_are_measured(tmp_path, syntax):
    """Half a transfer is not half an image: its place holds no image."""
    paths = make_ct_folder(tmp_path)
    if syntax:
        dataset = pydicom.dcmread(paths[7])
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(paths[7])
    paths[7].write_bytes(paths[7].read_bytes()[:-600])

    series = read_ct_series([tmp_path])[0]

    assert [each.path for each in series.left_out] == [paths[7]]
    assert np.flatnonzero(~series.volume.is_image).tolist() == [7]
    assert set(series.notes) == {Reason.SLICE_GAP, Reason.IMAGES_LEFT_OUT}


@pytest.mark.parametrize(
    ("keyword", "why"),
    [
        ("ImagePositionPatient", WhyLeftOut.NOT_A_SLICE),
        ("ImageOrientationPatient", WhyLeftOut.NOT_A_SLICE),
        ("PixelSpacing", WhyLeftOut.NOT_A_SLICE),
        ("RescaleSlope", WhyLeftOut.NOT_HU),
    ],
)
def test_a_slice_without_its_place_is_left_out(tmp_path, keyword, why):
    """What places a slice or makes it HU cannot be guessed, and the others have it."""
    paths = make_ct_folder(tmp_path)
    edit(paths[0], **{keyword: None})

    series = read_ct_series([tmp_path])[0]

    assert [(each.path, each.why) for each in series.left_out] == [(paths[0], why)]
    assert len(series.instances) == 59
    assert series.volume.is_image.all()


@pytest.mark.parametrize(
    ("keyword", "reason"),
    [("ImagePositionPatient", Reason.GEOMETRY_REFUSED), ("RescaleSlope", Reason.NOT_HU)],
)
def test_where_every_slice_lacks_the_same_that_is_the_reason(tmp_path, keyword, reason):
    """Coded, with what is missing."""
    for path in make_ct_folder(tmp_path):
        edit(path, **{keyword: None})

    error = refusal(tmp_path)

    assert error.code == reason.code
    assert keyword in error.detail


@pytest.mark.skipif(not LIDC_0314.exists(), reason=ABSENT)
def test_a_real_series_with_shuffled_files_is_read(tmp_path):
    """LIDC-IDRI-0314: implicit VR, empty times, a frame of reference for each slice."""
    series = read_ct_series([LIDC_0314])[0]

    assert series.volume.hu.shape == (275, 512, 512)
    np.testing.assert_allclose(series.volume.spacing_mm, [1.0, 0.78125, 0.78125], atol=1e-6)
    last = pydicom.dcmread(series.instances[-1].path)
    np.testing.assert_array_equal(
        series.volume.hu[-1], np.maximum(last.pixel_array.astype(int) - 1000, -1024)
    )
    assert {instance.sop_class_uid for instance in series.instances} == {CTImageStorage}


@pytest.mark.skipif(not LIDC_0001.exists(), reason=ABSENT)
def test_a_real_series_has_no_value_below_air():
    """LIDC-IDRI-0001: -2048 outside the circle, which its padding value does not name."""
    series = read_ct_series([LIDC_0001])[0]

    assert series.volume.hu.shape == (133, 512, 512)
    assert series.volume.hu[0, 0, 0] == -1024


@pytest.mark.skipif(not SIEMENS_J2K.exists(), reason=ABSENT)
def test_real_jpeg_2000_slices_without_uids_are_read():
    """Siemens PET/CT: study and series UID are empty, the instance UID is in the file meta."""
    series = read_ct_series([SIEMENS_J2K])[0]

    assert series.volume.hu.shape == (20, 512, 512)
    assert series.study_instance_uid.startswith("2.25.")
    assert all(item.sop_instance_uid.startswith("1.3.12.2.1107") for item in series.instances)
