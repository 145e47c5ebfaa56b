"""Values of attributes that may hold nonsense."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from vfnode.dicom.reading.image_faults import UNREADABLE


def value_of(dataset: Dataset, keyword: str) -> Any:
    """The value of an attribute; None where there is none or it cannot be decoded."""
    tag = _tag(keyword)
    if tag not in dataset:  # four times as fast as asking for what is not there
        return None
    try:
        return dataset[tag].value
    except UNREADABLE:
        return None


@cache
def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(f"DICOM has no attribute {keyword}")
    return BaseTag(tag)


def number_of(text: str) -> float | None:
    """A text as a number; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None
