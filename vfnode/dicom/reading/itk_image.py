"""MetaImage, NRRD and Analyze files -> volumes, read by SimpleITK.

What does not say how it lies in the patient is refused: a chest that is read back to front
has heights, and all of them are wrong.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from vfnode.dicom.reading.voxels_hu import image_places, to_hu
from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.spine.volume import CTVolume, FloatArray

METAIMAGE, NRRD, ANALYZE = (".mha", ".mhd"), (".nrrd", ".nhdr"), (".hdr", ".img")
#: Spaces of NRRD that are the patient's; ITK turns each into LPS.
PATIENT_SPACES = (
    "left-posterior-superior",
    "right-anterior-superior",
    "left-anterior-superior",
)
#: Voxel axes of Analyze's orientation 0, transverse unflipped, in LPS: to the left, to the
#: front, to the head. ITK reads the second as to the back.
ANALYZE_AXES = np.diag([1.0, -1.0, 1.0])
ANALYZE_HEADER_BYTES = 348
ANALYZE_ORIENTATION = 252  #: byte of the header
NIFTI_MAGIC = slice(344, 347)  #: bytes that are empty in Analyze 7.5


def read_itk_image(path: Path) -> CTVolume:
    """A three-dimensional image in HU as a volume, axes in canonical order.

    Raises:
        UnreadableInputError: damaged, cut short, not three-dimensional, no numbers, or without
            an orientation in the patient; names the file.
    """
    analyze = path.suffix.lower() in ANALYZE
    header = path.with_suffix(".hdr") if analyze else path
    if analyze:
        _check_analyze(header)
    SimpleITK.ProcessObject.GlobalWarningDisplayOff()  # "Analyze is deprecated", by C++, to stderr
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(header))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise UnreadableInputError(f"cannot read {path}: damaged or of another kind") from error
    if path.suffix.lower() in NRRD:
        _check_space(path, reader)
    while image.GetDimension() > 3 and image.GetSize()[-1] == 1:  # noqa: PLR2004 - time axis of one
        image = image[..., 0]
    if image.GetDimension() != 3:  # noqa: PLR2004 - a volume
        raise UnreadableInputError(f"{path} has {image.GetDimension()} dimensions, not 3")
    stored = SimpleITK.GetArrayViewFromImage(image)
    if image.GetNumberOfComponentsPerPixel() != 1 or np.iscomplexobj(stored):
        raise UnreadableInputError(f"{path} does not hold numbers that could be HU")
    axes = ANALYZE_AXES if analyze else np.reshape(image.GetDirection(), (3, 3))
    hu = to_hu(stored.T)
    try:
        return CTVolume(hu, _affine(image, axes), image_places(hu), 2).canonical()
    except GeometryError as error:
        raise UnreadableInputError(f"{path}: {error}") from error


def _affine(image: SimpleITK.Image, axes: FloatArray) -> FloatArray:
    """Voxel (x, y, z, 1) -> patient LPS mm, (4, 4); columns of ``axes`` are unit vectors."""
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return affine


def _check_space(path: Path, reader: SimpleITK.ImageFileReader) -> None:
    space = reader.GetMetaData("NRRD_space") if reader.HasMetaDataKey("NRRD_space") else "none"
    if space not in PATIENT_SPACES:
        raise UnreadableInputError(
            f"{path} does not say how it lies in the patient: its space is {space},"
            f" not one of {', '.join(PATIENT_SPACES)}"
        )


def _check_analyze(header: Path) -> None:
    """Refuse what ITK would read wrongly without a word: a pair of another kind, or a half one."""
    pixels = header.with_suffix(".img")
    try:
        content, size = header.read_bytes(), pixels.stat().st_size
    except OSError as error:
        raise UnreadableInputError(
            f"cannot read {header} and {pixels.name}: {error.strerror}"
        ) from error
    if len(content) < ANALYZE_HEADER_BYTES:
        raise UnreadableInputError(f"{header} is no Analyze header: it is cut short")
    if content[NIFTI_MAGIC] == b"ni1":
        raise UnreadableInputError(f"{header} is a NIfTI pair: give it as one .nii file")
    if content[ANALYZE_ORIENTATION] != 0:
        raise UnreadableInputError(
            f"{header} has orientation {content[ANALYZE_ORIENTATION]}; only 0, transverse, is read"
        )
    order = "<" if int.from_bytes(content[:4], "little") == ANALYZE_HEADER_BYTES else ">"
    shape = np.frombuffer(content, f"{order}i2", 8, 40)  # number of axes, then their lengths
    bits, offset = (
        int(np.frombuffer(content, f"{order}i2", 1, 72)[0]),
        float(np.frombuffer(content, f"{order}f4", 1, 108)[0]),
    )
    if size < offset + np.prod(shape[1 : shape[0] + 1], dtype=np.int64) * bits // 8:
        raise UnreadableInputError(f"{pixels} is cut short")
