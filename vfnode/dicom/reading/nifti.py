"""NIfTI files -> volumes, for data sets that left DICOM behind."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.wrapstruct import WrapStructError

from vfnode.dicom.reading.voxels_hu import to_hu
from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.spine.volume import CTVolume

#: NIfTI patient axes point right, anterior, superior; DICOM's left, posterior, superior.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_nifti(path: Path) -> CTVolume:
    """A three-dimensional NIfTI in HU as a volume, axes in canonical order.

    Raises:
        UnreadableInputError: not NIfTI, damaged, not three-dimensional, or without a usable
            affine; names the file.
    """
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        stored = image.dataobj.get_unscaled()
    except (ImageFileError, WrapStructError, OSError, ValueError, EOFError, zlib.error) as error:
        raise UnreadableInputError(f"cannot read {path} as NIfTI: {error}") from error
    while stored.ndim > 3 and stored.shape[-1] == 1:  # noqa: PLR2004 - a time axis of one
        stored = stored[..., 0]
    if stored.ndim != 3:  # noqa: PLR2004 - a volume
        raise UnreadableInputError(f"{path} has {stored.ndim} dimensions, not 3")
    if not np.issubdtype(stored.dtype, np.number) or np.iscomplexobj(stored):
        raise UnreadableInputError(f"{path} does not hold numbers that could be HU")
    hu = to_hu(stored, float(image.dataobj.slope), float(image.dataobj.inter))
    try:
        return CTVolume(hu, RAS_TO_LPS @ np.asarray(image.affine, float)).canonical()
    except GeometryError as error:
        raise UnreadableInputError(f"{path}: {error}") from error
