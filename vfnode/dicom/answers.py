"""What every kind of object calls the answer on a fracture, and a body."""

from __future__ import annotations

from vfnode.dicom.picture_layout import level_name
from vfnode.spine.genant import GenantLimits
from vfnode.spine.report import FractureReport


def presence_name(ratio: float | None, limits: GenantLimits) -> str:
    """``present`` where the height ratio reaches the moderate limit; name of a concept.

    ``undetermined`` without a ratio: nothing was graded.
    """
    if ratio is None:
        return "undetermined"
    return "present" if ratio <= limits.moderate else "absent"


def tracking_name(report: FractureReport, index: int) -> str:
    """Level of a body, with a number behind it where an earlier body has the same level."""
    names = [level_name(each, i) for i, each in enumerate(report.vertebrae)]
    earlier = names[:index].count(names[index])
    return f"{names[index]} ({earlier + 1})" if earlier else names[index]
