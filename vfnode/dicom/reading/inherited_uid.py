"""UIDs of the scanner: repeated byte for byte, or replaced where no result can carry them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydicom.dataset import Dataset

from vfnode.dicom.reading.image_faults import UNREADABLE
from vfnode.dicom.uids import derive_uid
from vfnode.spine.reason import Reason

#: One value of the default repertoire. Leading zeros, 65 characters and text break PS3.5 9.1 and
#: are the scanner's all the same: with another UID the result would belong to another study.
USABLE = re.compile(r"[ -\[\]-~]{1,80}")
NAMES = ("StudyInstanceUID", "SeriesInstanceUID")


def inherited_uid(dataset: Dataset, keyword: str, *derived_from: str) -> str:
    """The UID as it is; one derived from what it says, or from other UIDs where it is empty."""
    own = _own(dataset, keyword)
    if USABLE.fullmatch(own):
        return own
    return derive_uid(keyword, own) if own else derive_uid(*derived_from)


def derived_uids(datasets: Iterable[Dataset]) -> tuple[Reason, ...]:
    """What a result says where it could not repeat the UID of its study or series."""
    repeated = all(
        USABLE.fullmatch(_own(dataset, keyword)) for dataset in datasets for keyword in NAMES
    )
    return () if repeated else (Reason.UID_DERIVED,)


def _own(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except UNREADABLE:
        return ""
    return value if isinstance(value, str) else "\\".join(map(str, value or ()))
