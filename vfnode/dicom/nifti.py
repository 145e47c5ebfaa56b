"""NIfTI files -> volumes, for data sets that left DICOM behind."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from vfnode.errors import GeometryError, UnreadableInputError
from vfnode.spine.volume import CTVolume

#: NIfTI patient axes point right, anterior, superior; DICOM's left, posterior, superior.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
LOWEST_HU, HIGHEST_HU = -1024, 32767


def read_nifti(path: Path) -> CTVolume:
    """A three-dimensional NIfTI in HU as a volume, axes in canonical order.

    Raises:
        UnreadableInputError: not NIfTI, damaged, not three-dimensional, or without a usable
            affine; names the file.
    """
    try:
        image = nibabel.load(path)
        data = np.squeeze(np.asanyarray(image.dataobj))
    except (ImageFileError, OSError, ValueError, EOFError) as error:
        raise UnreadableInputError(f"cannot read {path} as NIfTI: {error}") from error
    if data.ndim != 3:  # noqa: PLR2004 - a volume
        raise UnreadableInputError(f"{path} has {data.ndim} dimensions, not 3")
    if not np.issubdtype(data.dtype, np.number) or np.iscomplexobj(data):
        raise UnreadableInputError(f"{path} does not hold numbers that could be HU")
    hu = np.empty(data.shape, np.int16, order="F")  # as NIfTI stores it: no transposing copy
    for k in range(data.shape[2]):
        plane = np.nan_to_num(data[..., k], nan=LOWEST_HU)
        hu[..., k] = np.clip(np.rint(plane), LOWEST_HU, HIGHEST_HU)
    try:
        return CTVolume(hu, RAS_TO_LPS @ np.asarray(image.affine, float)).canonical()
    except GeometryError as error:
        raise UnreadableInputError(f"{path}: {error}") from error
