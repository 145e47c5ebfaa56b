"""The same CT read by a foreign program, GDCM in SimpleITK: the same HU at the same place."""

import numpy as np
import pytest
import SimpleITK

from tests.factories import make_ct_folder, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.spine.volume import CTVolume

#: uncompressed, and JPEG 2000
REAL = ("lidc-idri-0001", "totalsegmentator-example/dicom-20-slices")


def read_by_gdcm(folder) -> CTVolume:
    """The largest series of a folder."""
    reader = SimpleITK.ImageSeriesReader()
    names = [
        reader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in reader.GetGDCMSeriesIDs(str(folder))
    ]
    reader.SetFileNames(max(names, key=len))
    image = reader.Execute()
    columns = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns[:, ::-1], image.GetOrigin()
    return CTVolume(SimpleITK.GetArrayFromImage(image).astype(np.int16), affine)


def assert_same(own: CTVolume, foreign: CTVolume) -> None:
    """Whatever the order of the axes; padding below air is a matter of taste."""
    one, other = own.canonical(), foreign.canonical()
    np.testing.assert_array_equal(np.maximum(one.hu, -1024), np.maximum(other.hu, -1024))
    np.testing.assert_allclose(one.affine, other.affine, atol=0.01)


@pytest.mark.parametrize("name", REAL)
def test_a_real_ct_is_read_as_gdcm_reads_it(name):
    """Every voxel, and the place of every voxel within 0.01 mm an axis step."""
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(ABSENT)

    assert_same(read_ct_series([folder])[0].volume, read_by_gdcm(folder))


def test_a_written_ct_is_read_as_gdcm_reads_it(tmp_path):
    """What the demo sends."""
    make_ct_folder(tmp_path, make_volume())

    assert_same(read_ct_series([tmp_path])[0].volume, read_by_gdcm(tmp_path))
