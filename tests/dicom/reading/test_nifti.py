"""NIfTI in: HU and axes."""

import nibabel
import numpy as np
import pytest

from vfnode.dicom.reading.nifti import read_nifti
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


def test_a_missing_file_is_named(tmp_path):
    """Also where there is nothing."""
    with pytest.raises(UnreadableInputError, match=r"gone\.nii"):
        read_nifti(tmp_path / "gone.nii")
