"""Files that hold a whole volume and no DICOM identity, each kind with its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vfnode.dicom.reading.itk_image import ANALYZE, METAIMAGE, NRRD, read_itk_image
from vfnode.dicom.reading.nifti import read_nifti
from vfnode.spine.volume import CTVolume

NIFTI = (".nii", ".nii.gz")
#: ending of the name -> reader
READERS: dict[str, Callable[[Path], CTVolume]] = {
    **dict.fromkeys(NIFTI, read_nifti),
    **dict.fromkeys((*METAIMAGE, *NRRD, *ANALYZE), read_itk_image),
}


def is_volume_file(path: Path) -> bool:
    """Whether a file's name is that of a volume, not of DICOM."""
    return path.name.lower().endswith(tuple(READERS))


def read_volume_file(path: Path) -> CTVolume:
    """The volume of a NIfTI, MetaImage, NRRD or Analyze file, axes in canonical order.

    Raises:
        UnreadableInputError: damaged, or no CT volume; names the file.
    """
    ending = next(ending for ending in READERS if path.name.lower().endswith(ending))
    return READERS[ending](path)
