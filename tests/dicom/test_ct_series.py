"""Reading CT series: what is taken, what is refused, and where each voxel lies."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from tests.dicom.tools import edit, tool
from tests.factories import make_ct_folder, make_series, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.ct_series import read_ct_series
from vfnode.errors import NotEvaluableError, UnreadableInputError
from vfnode.spine.report import Reason
from vfnode.spine.volume import CTVolume

LIDC_0314 = SHARED / "data" / "lidc-idri-0314"
LIDC_0001 = SHARED / "data" / "lidc-idri-0001"
SIEMENS_J2K = SHARED / "data" / "totalsegmentator-example" / "dicom-20-slices"


def refusal(folder: Path) -> NotEvaluableError:
    with pytest.raises(NotEvaluableError) as caught:
        read_ct_series([folder])
    return caught.value


def test_a_series_is_read_back_voxel_by_voxel(tmp_path):
    """HU and affine of a written series come back as they were."""
    volume = make_volume()

    series = make_series(tmp_path, volume)

    np.testing.assert_array_equal(series.volume.hu, volume.hu)
    np.testing.assert_allclose(series.volume.affine, volume.affine, atol=1e-6)
    assert series.volume.hu.dtype == np.int16


@pytest.mark.parametrize("flips", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_any_patient_position_keeps_its_place(tmp_path, flips):
    """Head or feet first, supine or prone: each voxel stays where the patient has it."""
    volume = make_volume((20, 16, 12), (2.0, 1.5, 1.25))
    affine = volume.affine.copy()
    affine[:3, 1] *= flips[0]
    affine[:3, 2] *= flips[1]

    series = make_series(tmp_path, CTVolume(volume.hu, affine))

    voxel = np.array([3.0, 5.0, 7.0])
    point = affine[:3, :3] @ voxel + affine[:3, 3]
    read = tuple(np.rint(series.volume.to_voxel(point)).astype(int))
    assert series.volume.hu[read] == volume.hu[3, 5, 7]


def test_slices_are_ordered_by_position_and_nothing_else(tmp_path):
    """File names and InstanceNumber may follow anything."""
    paths = make_ct_folder(tmp_path)
    numbers = list(range(1, len(paths) + 1))
    random.Random(1).shuffle(numbers)
    for path, number in zip(paths, numbers, strict=True):
        edit(path, InstanceNumber=number)
        path.rename(tmp_path / f"{number}.dcm")

    series = read_ct_series([tmp_path])[0]

    np.testing.assert_array_equal(series.volume.hu, make_volume().hu)
    positions = [
        float(pydicom.dcmread(instance.path).ImagePositionPatient[2])
        for instance in series.instances
    ]
    np.testing.assert_allclose(np.diff(positions), -2.5, atol=1e-6)


def test_a_missing_slice_is_a_gap(tmp_path):
    """Spacing comes from all positions, so one lost slice cannot hide."""
    paths = make_ct_folder(tmp_path)
    paths[20].unlink()

    error = refusal(tmp_path)

    assert error.code == Reason.SLICE_GAP.code
    assert "1 of 60 slices missing" in error.detail


def test_rounded_positions_are_not_a_gap(tmp_path):
    """Positions rounded to a tenth of a millimetre are jitter."""
    paths = make_ct_folder(tmp_path, make_volume(spacing_mm=(1.25, 1.5, 1.5)))
    for path in paths:
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, y, round(float(z), 1)])

    series = read_ct_series([tmp_path])[0]

    assert series.volume.spacing_mm[0] == pytest.approx(1.25, abs=1e-3)


def test_uneven_slices_are_refused_with_a_reason(tmp_path):
    """A stack of two spacings is no regular volume."""
    paths = make_ct_folder(tmp_path)
    for path in paths[30:]:
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, y, float(z) - 1.0])

    assert refusal(tmp_path).code == Reason.GEOMETRY_REFUSED.code


def test_too_few_slices_are_refused_with_a_reason(tmp_path):
    """Five slices cannot hold a vertebra."""
    make_ct_folder(tmp_path, make_volume((5, 16, 16)))

    assert refusal(tmp_path).code == Reason.TOO_FEW_SLICES.code


def test_of_two_slices_at_one_position_the_lower_instance_number_stays(tmp_path):
    """A second image at the same place is dropped by rule, not by chance."""
    paths = make_ct_folder(tmp_path)
    twin = pydicom.dcmread(paths[10])
    twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    twin.InstanceNumber = 999
    twin.PixelData = bytes(len(twin.PixelData))
    twin.save_as(tmp_path / "000000.dcm")

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 60
    np.testing.assert_array_equal(series.volume.hu, make_volume().hu)


def test_the_same_file_twice_counts_once(tmp_path):
    """A copy of a slice changes nothing."""
    paths = make_ct_folder(tmp_path)
    (tmp_path / "copy.dcm").write_bytes(paths[3].read_bytes())

    assert len(read_ct_series([tmp_path])[0].instances) == 60


def test_a_localizer_is_dropped_by_its_image_type(tmp_path):
    """ImageType LOCALIZER is never a slice, even at a slice's place."""
    paths = make_ct_folder(tmp_path)
    scout = pydicom.dcmread(paths[0])
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.InstanceNumber = 0
    scout.PixelData = bytes(len(scout.PixelData))
    scout.save_as(tmp_path / "scout.dcm")

    series = read_ct_series([tmp_path])[0]

    assert "1.2.3.5" not in {instance.sop_instance_uid for instance in series.instances}


def test_a_localizer_that_hides_is_dropped_by_its_orientation(tmp_path):
    """An image of another orientation in the series is not one of its slices."""
    paths = make_ct_folder(tmp_path)
    scout = pydicom.dcmread(paths[0])
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.3.6"
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    scout.save_as(tmp_path / "scout.dcm")

    series = read_ct_series([tmp_path])[0]

    assert "1.2.3.6" not in {instance.sop_instance_uid for instance in series.instances}


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]},
        {"ImageType": ["DERIVED", "PRIMARY", "MIP"]},
        {"SOPClassUID": SecondaryCaptureImageStorage},
    ],
)
def test_what_is_not_original_ct_is_not_analysed(tmp_path, changes):
    """Reformats, projections and secondary captures carry a coded refusal."""
    for path in make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1))):
        edit(path, **changes)

    assert refusal(tmp_path).code == Reason.NOT_CT.code


def test_a_tilted_gantry_keeps_every_point_where_it_was(tmp_path):
    """The tilt is carried as shear: a height measured through the affine stays true."""
    volume = make_volume((40, 32, 24), (2.5, 1.5, 1.5))
    tilt = np.deg2rad(20)
    affine = volume.affine.copy()
    # The gantry leans about the left-right axis; the table still moves along z.
    affine[:3, 1] = 1.5 * np.array([0, np.cos(tilt), -np.sin(tilt)])

    series = make_series(tmp_path, CTVolume(volume.hu, affine))

    np.testing.assert_allclose(series.volume.affine, affine, atol=1e-5)
    ends = series.volume.to_patient(np.array([[4.0, 10, 10], [12.0, 10, 10]]))
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(20.0, abs=0.01)


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


def test_padding_is_found_in_implicit_vr_too(tmp_path):
    """Where the file does not say whether the padding value is signed."""
    for path in make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1))):
        pixels = np.full((8, 8), -2000, np.int16).tobytes()
        edit(path, PixelData=pixels, PixelRepresentation=1, PixelPaddingValue=63536)
        subprocess.run([tool("dcmconv"), "+ti", str(path), str(path)], check=True)

    assert np.unique(read_ct_series([tmp_path])[0].volume.hu).tolist() == [-1000]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_compression_changes_nothing(tmp_path, syntax):
    """Compressed by pydicom's encoders."""
    volume = make_volume((10, 64, 72), (5, 1, 1))
    for path in make_ct_folder(tmp_path, volume):
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)

    np.testing.assert_array_equal(read_ct_series([tmp_path])[0].volume.hu, volume.hu)


@pytest.mark.parametrize("process", ["+e1", "+el"])
def test_lossless_jpeg_changes_nothing(tmp_path, process):
    """Compressed by DCMTK, process 14 with and without selection value 1."""
    volume = make_volume((10, 32, 24), (5, 1, 1))
    for path in make_ct_folder(tmp_path / "plain", volume):
        (tmp_path / "jpeg").mkdir(exist_ok=True)
        target = tmp_path / "jpeg" / path.name
        subprocess.run([tool("dcmcjpeg"), process, str(path), str(target)], check=True)

    series = read_ct_series([tmp_path / "jpeg"])[0]

    np.testing.assert_array_equal(series.volume.hu, volume.hu)


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


def write_enhanced_ct(volume: CTVolume, path: Path) -> None:
    """One multi-frame file, frames in an order of their own."""
    make_ct_folder(path.parent / "frames", volume)
    frames = [pydicom.dcmread(p) for p in sorted((path.parent / "frames").iterdir())]
    random.Random(2).shuffle(frames)
    enhanced = pydicom.dcmread(path.parent / "frames" / "000001.dcm")
    shared = Dataset()
    shared.PlaneOrientationSequence = [Dataset()]
    orientation = shared.PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = enhanced.ImageOrientationPatient
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = enhanced.PixelSpacing
    shared.PixelValueTransformationSequence = [Dataset()]
    rescale = shared.PixelValueTransformationSequence[0]
    rescale.RescaleSlope, rescale.RescaleIntercept = 1, -1024
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(enhanced, keyword)
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        delattr(enhanced, keyword)
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = []
    for frame in frames:
        groups, position = Dataset(), Dataset()
        position.ImagePositionPatient = frame.ImagePositionPatient
        groups.PlanePositionSequence = [position]
        enhanced.PerFrameFunctionalGroupsSequence.append(groups)
    enhanced.NumberOfFrames = len(frames)
    enhanced.PixelData = b"".join(frame.PixelData for frame in frames)
    enhanced.SOPClassUID = enhanced.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    enhanced.save_as(path)


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless])
def test_an_enhanced_ct_is_read_frame_by_frame(tmp_path, syntax):
    """Geometry from the functional groups, per frame before shared; frames in any order."""
    volume = make_volume((20, 64, 48), (2.5, 1.5, 1.5))
    path = tmp_path / "enhanced.dcm"
    write_enhanced_ct(volume, path)
    if syntax:
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)

    series = read_ct_series([path])[0]

    np.testing.assert_array_equal(series.volume.hu, volume.hu)
    np.testing.assert_allclose(series.volume.affine, volume.affine, atol=1e-6)
    assert sorted(instance.frame for instance in series.instances) == list(range(20))
    assert series.instances[0].sop_class_uid == EnhancedCTImageStorage


def test_one_frame_of_reference_a_file_is_taken_as_lost(tmp_path):
    """LIDC-IDRI drew a new frame of reference for every slice; the stack is still one."""
    for index, path in enumerate(make_ct_folder(tmp_path)):
        edit(path, FrameOfReferenceUID=f"1.2.3.{index}")

    assert len(read_ct_series([tmp_path])[0].instances) == 60


def test_two_frames_of_reference_are_two_stacks(tmp_path):
    """Slices of another frame of reference are not mixed in."""
    for index, path in enumerate(make_ct_folder(tmp_path)):
        if index >= 40:
            edit(path, FrameOfReferenceUID="1.2.3.4")

    assert len(read_ct_series([tmp_path])[0].instances) == 40


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
def test_a_file_cut_short_is_named_in_the_error(tmp_path, syntax):
    """Half a transfer is not half an image."""
    paths = make_ct_folder(tmp_path)
    if syntax:
        dataset = pydicom.dcmread(paths[7])
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(paths[7])
    paths[7].write_bytes(paths[7].read_bytes()[:-600])

    with pytest.raises(UnreadableInputError, match=paths[7].name):
        read_ct_series([tmp_path])


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"]
)
def test_a_slice_without_its_place_is_named_in_the_error(tmp_path, keyword):
    """What places a slice or makes it HU cannot be guessed."""
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    edit(paths[4], **{keyword: None})

    with pytest.raises(UnreadableInputError, match=paths[4].name):
        read_ct_series([tmp_path])


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
