"""NIfTI files -> volumes, for data sets that left DICOM behind."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from vfnode.dicom.reading.voxels_hu import image_places, to_hu
from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.spine.volume import CTVolume, FloatArray

#: NIfTI patient axes point right, anterior, superior; DICOM's left, posterior, superior.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Length of the header, by which the two versions are told apart.
HEADER_BYTES = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}
#: Units of length of ``xyzt_units``; a file that names none is in mm, as all software has it.
UNITS_MM = {"unknown": 1.0, "meter": 1000.0, "mm": 1.0, "micron": 0.001}
GZIP = b"\x1f\x8b"
DAMAGE = (
    ImageFileError,
    HeaderDataError,
    WrapStructError,
    OSError,
    ValueError,
    EOFError,
    zlib.error,
)


def read_nifti(path: Path) -> CTVolume:
    """A three-dimensional NIfTI-1 or NIfTI-2 in HU as a volume, axes in canonical order.

    Raises:
        UnreadableInputError: not NIfTI, damaged, not three-dimensional, or without a usable
            affine; names the file.
    """
    try:
        with _opened(path) as file:
            image = _version(file).from_file_map({"image": nibabel.FileHolder(fileobj=file)})
            stored = image.dataobj.get_unscaled()
    except DAMAGE as error:
        raise UnreadableInputError(f"cannot read {path} as NIfTI: {error}") from error
    while stored.ndim > 3 and stored.shape[-1] == 1:  # noqa: PLR2004 - a time axis of one
        stored = stored[..., 0]
    if stored.ndim != 3:  # noqa: PLR2004 - a volume
        raise UnreadableInputError(f"{path} has {stored.ndim} dimensions, not 3")
    if not np.issubdtype(stored.dtype, np.number) or np.iscomplexobj(stored):
        raise UnreadableInputError(f"{path} does not hold numbers that could be HU")
    hu = to_hu(stored, float(image.dataobj.slope), float(image.dataobj.inter))
    try:
        return CTVolume(hu, _affine(path, image), image_places(hu), 2).canonical()
    except GeometryError as error:
        raise UnreadableInputError(f"{path}: {error}") from error


def _opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where they are packed: whatever its name says."""
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP)) == GZIP
    return cast(BinaryIO, gzip.open(path)) if is_packed else path.open("rb")


def _version(file: BinaryIO) -> type[nibabel.Nifti1Image]:
    """The class that reads this version of the format; the first where the bytes say nothing."""
    head = file.read(4)
    file.seek(0)
    found = (HEADER_BYTES.get(int.from_bytes(head, order)) for order in ("little", "big"))
    known: type[nibabel.Nifti1Image] = next((each for each in found if each), nibabel.Nifti1Image)
    return known


def _affine(path: Path, image: nibabel.Nifti1Image) -> FloatArray:
    """Voxel (x, y, z, 1) -> patient LPS mm, (4, 4).

    Raises:
        UnreadableInputError: the file does not say how the patient lies. What software assumes
            then is upside down as often as not.
    """
    header = image.header
    if int(header["qform_code"]) <= 0 and int(header["sform_code"]) <= 0:
        raise UnreadableInputError(
            f"{path} does not say how the patient lies: it has neither a qform nor an sform"
        )
    affine: FloatArray = RAS_TO_LPS @ np.asarray(image.affine, float)
    affine[:3] *= UNITS_MM.get(header.get_xyzt_units()[0], 1.0)
    return affine
