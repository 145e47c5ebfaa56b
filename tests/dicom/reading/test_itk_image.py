"""MetaImage, NRRD and Analyze in: HU, axes, and what is refused."""

import nibabel
import numpy as np
import pytest
import SimpleITK

from vfnode.dicom.reading.volume_files import is_volume_file, read_volume_file
from vfnode.errors import UnreadableInputError

NAMES = ("ct.mha", "ct.mhd", "ct.nrrd", "ct.nhdr")
TILT = 0.2  #: radians about the axis from left to right


def image_of(data):
    """An image with a spacing for each axis, tilted, away from the origin."""
    image = SimpleITK.GetImageFromArray(data)
    image.SetSpacing((2.0, 3.0, 4.0))
    image.SetOrigin((-10.0, -20.0, -30.0))
    c, s = np.cos(TILT), np.sin(TILT)
    image.SetDirection((1, 0, 0, 0, c, -s, 0, s, c))
    return image


def noise(shape=(20, 16, 12)):
    return np.random.default_rng(1).integers(-1000, 3000, shape).astype(np.int16)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_voxel_lies_where_the_file_says_in_lps(tmp_path, name, compressed):
    """Each format has its own axes and its own header; all are LPS here."""
    data = np.zeros((8, 7, 6), np.int16)
    data[3, 2, 1] = 700
    image = image_of(data)
    SimpleITK.WriteImage(image, str(tmp_path / name), useCompression=compressed)

    volume = read_volume_file(tmp_path / name)

    where = np.argwhere(volume.hu == 700)[0].astype(float)
    np.testing.assert_allclose(
        volume.to_patient(where), image.TransformIndexToPhysicalPoint((1, 2, 3)), atol=1e-6
    )
    np.testing.assert_allclose(volume.spacing_mm, [4.0, 3.0, 2.0])


def test_a_nrrd_in_another_patient_space_lies_in_the_same_place(tmp_path):
    """RAS, as 3D Slicer writes it too: x and y change their signs."""
    data = np.zeros((8, 7, 6), "<i2")
    data[3, 2, 1] = 700
    (tmp_path / "ct.nrrd").write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 6 7 8\n"
        b"space directions: (2,0,0) (0,3,0) (0,0,4)\nkinds: domain domain domain\n"
        b"endian: little\nencoding: raw\nspace origin: (-10,-20,-30)\n\n" + data.tobytes()
    )

    volume = read_volume_file(tmp_path / "ct.nrrd")

    where = np.argwhere(volume.hu == 700)[0].astype(float)
    np.testing.assert_allclose(volume.to_patient(where), [8.0, 14.0, -18.0])


@pytest.mark.parametrize("space", [b"", b"space: scanner-xyz\n"])
def test_a_nrrd_that_does_not_say_how_it_lies_is_refused(tmp_path, space):
    """Spacing alone tells neither front from back nor head from feet."""
    grid = b"space directions: (2,0,0) (0,3,0) (0,0,4)\n" if space else b"spacings: 2 3 4\n"
    (tmp_path / "ct.nrrd").write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\n"
        + space
        + b"sizes: 6 7 8\n"
        + grid
        + b"endian: little\nencoding: raw\n\n"
        + bytes(2 * 6 * 7 * 8)
    )

    with pytest.raises(UnreadableInputError, match="does not say how it lies in the patient"):
        read_volume_file(tmp_path / "ct.nrrd")


@pytest.mark.parametrize("name", ["ct.hdr", "ct.img"])
def test_analyze_is_read_as_its_format_has_it(tmp_path, name):
    """To the left, to the front, to the head, as nibabel reads it too; ITK turns the second."""
    data = np.zeros((6, 7, 8), np.int16)
    data[1, 2, 3], data[0, 0, 0] = 700, 100
    image = nibabel.AnalyzeImage(data, np.diag([-2.0, 3.0, 4.0, 1.0]))
    nibabel.save(image, tmp_path / "ct.img")

    volume = read_volume_file(tmp_path / name)

    marked, first = (volume.to_patient(np.argwhere(volume.hu == hu)[0] * 1.0) for hu in (700, 100))
    by_nibabel = nibabel.load(tmp_path / "ct.img").affine[:3, :3] @ [1, 2, 3]
    np.testing.assert_allclose(marked - first, by_nibabel * [-1, -1, 1])
    np.testing.assert_allclose(marked - first, [2.0, -6.0, 12.0])


def test_analyze_of_another_orientation_is_refused(tmp_path):
    """Coronal, sagittal and flipped ones are written by few and told by nobody."""
    nibabel.save(nibabel.AnalyzeImage(noise(), np.eye(4)), tmp_path / "ct.img")
    header = bytearray((tmp_path / "ct.hdr").read_bytes())
    header[252] = 3
    (tmp_path / "ct.hdr").write_bytes(header)

    with pytest.raises(UnreadableInputError, match="orientation 3"):
        read_volume_file(tmp_path / "ct.hdr")


def test_a_nifti_pair_is_not_taken_for_analyze(tmp_path):
    """It has the same two names and says its orientation elsewhere."""
    nibabel.save(nibabel.Nifti1Pair(noise(), np.eye(4)), tmp_path / "ct.img")

    with pytest.raises(UnreadableInputError, match="NIfTI pair"):
        read_volume_file(tmp_path / "ct.hdr")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("ct.mha", "ct.mha"),
        ("ct.mhd", "ct.*raw"),
        ("ct.nrrd", "ct.nrrd"),
        ("ct.nhdr", "ct.*raw*"),
    ],
)
def test_half_a_file_is_no_volume(tmp_path, name, pixels, compressed):
    """Never half a spine of water."""
    SimpleITK.WriteImage(image_of(noise()), str(tmp_path / name), useCompression=compressed)
    path = next(tmp_path.glob(pixels))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    with pytest.raises(UnreadableInputError, match="ct"):
        read_volume_file(tmp_path / name)


@pytest.mark.parametrize("kept", [0, 100, 348])
def test_half_an_analyze_pair_is_no_volume(tmp_path, kept):
    """ITK would fill the rest with zeros."""
    nibabel.save(nibabel.AnalyzeImage(noise(), np.eye(4)), tmp_path / "ct.img")
    cut = tmp_path / ("ct.img" if kept == 348 else "ct.hdr")
    cut.write_bytes(cut.read_bytes()[:kept])

    with pytest.raises(UnreadableInputError, match="ct"):
        read_volume_file(tmp_path / "ct.hdr")


@pytest.mark.parametrize(
    "image",
    [
        SimpleITK.GetImageFromArray(np.zeros((4, 4), np.int16)),
        SimpleITK.GetImageFromArray(np.zeros((2, 4, 4, 4), np.int16), isVector=False),
        SimpleITK.GetImageFromArray(np.zeros((4, 4, 4, 3), np.int16), isVector=True),
    ],
    ids=["a picture", "a time series", "colours"],
)
def test_what_is_not_one_volume_of_hu_is_named(tmp_path, image):
    """No CT volume."""
    SimpleITK.WriteImage(image, str(tmp_path / "other.mha"))

    with pytest.raises(UnreadableInputError, match=r"other\.mha"):
        read_volume_file(tmp_path / "other.mha")


def test_a_time_axis_of_one_is_a_volume(tmp_path):
    """As some tools write every image."""
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(noise((1, 5, 6, 7)), isVector=False), str(tmp_path / "ct.mha")
    )

    assert sorted(read_volume_file(tmp_path / "ct.mha").hu.shape) == [5, 6, 7]


@pytest.mark.parametrize("name", [*NAMES, "ct.hdr", "ct.nii", "CT.NRRD"])
@pytest.mark.parametrize("content", [None, b"", b"not an image"])
def test_rubbish_and_nothing_are_named(tmp_path, name, content):
    """One clear sentence with the file's name."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    assert is_volume_file(tmp_path / name)
    with pytest.raises(UnreadableInputError, match=name.split(".")[0]):
        read_volume_file(tmp_path / name)
