"""Images that are no part of what was measured, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class WhyLeftOut(Enum):
    """Why an image is not measured; value: as result.json says it."""

    DAMAGED = "damaged"  #: the file, its header or its pixels
    NOT_CT = "not-ct"  #: a secondary capture, a dose page, a structure set, a report
    NOT_ORIGINAL = "not-original"  #: a localizer, a projection, a reformat
    NOT_A_SLICE = "not-a-slice"  #: what places it in the patient, or its pixels, are missing
    NOT_HU = "not-hu"  #: another quantity: an iodine map, an atomic number
    SAME_PLACE = "same-place"  #: another image at the place of one that is used
    STRAY = "stray"  #: away from the regular stack
    OTHER_STACK = "other-stack"  #: another phase or reconstruction of the same anatomy


@dataclass(frozen=True)
class LeftOut:
    """One image that is not measured."""

    path: Path
    frame: int  #: from 0
    series_instance_uid: str  #: empty where it is not known
    sop_instance_uid: str  #: empty where it is not known
    why: WhyLeftOut
    detail: str = ""  #: in words that quote nothing of the header
