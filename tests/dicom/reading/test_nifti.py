"""NIfTI in: HU and axes."""

import nibabel
import numpy as np
import pytest

from vfnode.dicom.reading.nifti import read_nifti
from vfnode.dicom.reading.volume_files import read_volume_file
from vfnode.errors import UnreadableInputError


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_voxel_lies_where_the_file_says_in_lps(tmp_path, suffix):
    """NIfTI points right, anterior, superior; vfnode left, posterior, superior."""
    data = np.zeros((6, 7, 8), np.int16)
    data[1, 2, 3] = 700
    affine = np.array([[2.0, 0, 0, -10], [0, 3.0, 0, -20], [0, 0, 4.0, -30], [0, 0, 0, 1]])
    path = tmp_path / f"ct{suffix}"
    nibabel.save(nibabel.Nifti1Image(data, affine), path)

    volume = read_nifti(path)

    where = np.argwhere(volume.hu == 700)[0]
    np.testing.assert_allclose(volume.to_patient(where.astype(float)), [8.0, 14.0, -18.0])
    np.testing.assert_allclose(volume.spacing_mm, [4.0, 3.0, 2.0])


def test_floating_point_and_what_is_no_number_become_hu(tmp_path):
    """Rounded; no number is air; a scale factor of the file is applied."""
    data = np.array([[[40.6, np.nan], [-3000.0, 1e9]]])
    path = tmp_path / "ct.nii"
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)

    assert sorted(read_nifti(path).hu.ravel().tolist()) == [-1024, -1024, 41, 32767]


def test_a_tilted_gantry_stays_tilted(tmp_path):
    """Slices that move sideways are a sheared affine: neither refused nor straightened."""
    data = np.zeros((6, 7, 8), np.int16)
    data[1, 2, 3] = 700
    affine = np.array([[0.7, 0, 0, 0], [0, 0.7, 1.0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1.0]])
    path = tmp_path / "ct.nii"
    nibabel.save(nibabel.Nifti1Image(data, affine), path)

    volume = read_nifti(path)

    where = np.argwhere(volume.hu == 700)[0]
    np.testing.assert_allclose(
        volume.to_patient(where.astype(float)), [-0.7, -(1.4 + 3.0), 12.0], atol=1e-5
    )


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_half_a_file_is_no_volume(tmp_path, suffix):
    """Other readers fill what is missing with zeros: half a spine of water."""
    path = tmp_path / f"half{suffix}"
    data = np.random.default_rng(1).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(UnreadableInputError, match="half"):
        read_nifti(path)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 2)])
def test_what_is_not_one_volume_is_named(tmp_path, shape):
    """A map or a time series is no CT volume."""
    path = tmp_path / "other.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), path)

    with pytest.raises(UnreadableInputError, match=r"other\.nii"):
        read_nifti(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x1f\x8b broken"])
def test_rubbish_is_named(tmp_path, content):
    """One clear sentence with the file's name."""
    path = tmp_path / "rubbish.nii.gz"
    path.write_bytes(content)

    with pytest.raises(UnreadableInputError, match=r"rubbish\.nii\.gz"):
        read_nifti(path)


def saved(path, affine, kind=nibabel.Nifti1Image, unit="mm"):
    """A NIfTI with one bright voxel."""
    data = np.random.default_rng(1).integers(-100, 100, (6, 7, 8)).astype(np.int16)
    data[1, 2, 3] = 700
    image = kind(data, affine)
    image.header.set_xyzt_units(unit)
    plain = path.with_name(path.name.lower())
    nibabel.save(image, plain)
    return plain.rename(path)


def place_of_bright(volume):
    """Where the bright voxel lies in the patient, mm."""
    return volume.to_patient(np.argwhere(volume.hu == 700)[0].astype(float))


def test_a_file_that_does_not_say_how_the_patient_lies_is_refused(tmp_path):
    """Guessing turned a patient upside down: five invented bodies, all normal."""
    image = nibabel.Nifti1Image(np.zeros((6, 7, 8), np.int16), np.eye(4))
    image.set_qform(np.eye(4), 0)
    image.set_sform(np.eye(4), 0)
    nibabel.save(image, tmp_path / "ct.nii")

    with pytest.raises(UnreadableInputError, match="does not say how the patient lies"):
        read_nifti(tmp_path / "ct.nii")


@pytest.mark.parametrize(
    ("unit", "per_mm"), [("mm", 1.0), ("micron", 1000.0), ("meter", 0.001), ("unknown", 1.0)]
)
def test_lengths_are_in_the_unit_of_the_file(tmp_path, unit, per_mm):
    """xyzt_units; a file that names none is in millimetres."""
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3] *= per_mm

    volume = read_nifti(saved(tmp_path / "ct.nii.gz", affine, unit=unit))

    np.testing.assert_allclose(volume.spacing_mm, [4.0, 3.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(place_of_bright(volume), [-2.0, -6.0, 12.0], atol=1e-4)


@pytest.mark.parametrize("name", ["ct.nii", "CT.NII.GZ", "Ct.Nii"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_both_versions_are_read_whatever_the_case_of_the_name(tmp_path, kind, name):
    """NIfTI-2 has a longer header and the same meaning."""
    volume = read_volume_file(saved(tmp_path / name, np.diag([2.0, 3.0, 4.0, 1.0]), kind))

    np.testing.assert_allclose(place_of_bright(volume), [-2.0, -6.0, 12.0])


def test_blank_and_repeated_planes_are_no_image(tmp_path):
    """As in DICOM."""
    data = np.random.default_rng(1).integers(-100, 100, (6, 7, 9)).astype(np.int16)
    data[..., 2] = 0
    data[..., 6] = data[..., 5]
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "ct.nii")

    volume = read_nifti(tmp_path / "ct.nii")

    assert np.flatnonzero(~volume.is_image[::-1]).tolist() == [2, 5, 6]


def test_a_missing_file_is_named(tmp_path):
    """Also where there is nothing."""
    with pytest.raises(UnreadableInputError, match=r"gone\.nii"):
        read_nifti(tmp_path / "gone.nii")
