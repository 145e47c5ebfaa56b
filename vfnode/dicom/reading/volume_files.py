"""Files that hold a whole volume and no DICOM identity, each kind with its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vfnode.dicom.reading.dicom_file import PREAMBLE_BYTES, PREFIX
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
    """Whether a file is a volume by its name, and not DICOM by its bytes: IM0001.IMG may be."""
    return path.name.lower().endswith(tuple(READERS)) and not _is_dicom(path)


def volumes_in(folder: Path) -> list[Path]:
    """The volume files of a folder (searched to any depth); of a pair the header alone."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and is_volume_file(path))
    headers = {path.with_suffix("") for path in found if path.suffix.lower() == ".hdr"}
    return [
        path
        for path in found
        if path.suffix.lower() != ".img" or path.with_suffix("") not in headers
    ]


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(PREAMBLE_BYTES + len(PREFIX)).endswith(PREFIX)


def read_volume_file(path: Path) -> CTVolume:
    """The volume of a NIfTI, MetaImage, NRRD or Analyze file, axes in canonical order.

    Raises:
        UnreadableInputError: damaged, or no CT volume; names the file.
    """
    ending = next(ending for ending in READERS if path.name.lower().endswith(ending))
    return READERS[ending](path)
