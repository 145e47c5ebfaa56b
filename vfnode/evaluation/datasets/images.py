"""The CT that case lists name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.nifti import read_nifti
from vfnode.spine.volume import CTVolume


@lru_cache(maxsize=1)
def read_images(images: Path) -> CTVolume:
    """A DICOM folder or a NIfTI, axes in canonical order.

    The last one is kept: the cases that are made of one CT follow each other.
    """
    if images.is_dir():
        return read_ct_series([images])[0].volume.canonical()
    return read_nifti(images)
