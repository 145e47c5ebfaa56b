"""What every builder of a result object is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from vfnode.dicom.picture.pictures import Pictures
from vfnode.dicom.result_settings import ResultContext


@dataclass(frozen=True)
class Building:
    """One result on its way to become objects."""

    context: ResultContext
    pictures: Pictures
    sources: list[Dataset]  #: items of Source Image Sequence, which the pictures share
    made: dict[str, Dataset] = field(default_factory=dict)  #: DICOM objects by output name
