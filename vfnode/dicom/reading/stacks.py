"""Several stacks in one series: phases, reconstructions, repeats; and which of them is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vfnode.dicom.reading.geometry import MIN_SLICES, order_slices
from vfnode.dicom.reading.slice_header import STACK_ATTRIBUTES, SliceHeader


def stacks_of(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """What may be one volume among the slices of a series, most likely first.

    Where many slices lie on each other, the parts that an attribute separates come first, the
    largest and then the lowest in that attribute before the others: the first phase, the image
    without contrast agent, the thinner reconstruction. Otherwise the whole series comes first,
    as a scan in several steps has several acquisitions too.
    """
    parts = _parts(slices)
    return [*parts, list(slices)] if _overlap(slices) else [list(slices), *parts]


def _parts(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """The slices by the first attribute that leaves no overlap; none where no one does."""
    for index in range(len(STACK_ATTRIBUTES)):
        found: dict[str, list[SliceHeader]] = defaultdict(list)
        for header in slices:
            found[header.stack[index]].append(header)
        parts = sorted(found.items(), key=lambda item: (-len(item[1]), _natural(item[0])))
        large_enough = len(parts) > 1 and len(parts[0][1]) >= MIN_SLICES
        if large_enough and not any(_overlap(part) for _, part in parts):
            return [part for _, part in parts]
    return []


def _overlap(slices: Sequence[SliceHeader]) -> bool:
    """Whether more slices lie on another one than neighbouring acquisitions share."""
    return len(slices) - len(order_slices(slices)) >= MIN_SLICES


def _natural(value: str) -> tuple[float, str]:
    """Numbers by size, then texts."""
    try:
        return float(value), ""
    except ValueError:
        return float("inf") if value else float("-inf"), value
