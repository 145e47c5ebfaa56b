"""What the node itself knows of a series before anything is computed: from headers alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread

from vfnode.dicom.reading.image_faults import UNREADABLE

TAGS = [
    "ImageType",
    "SOPClassUID",
    "Modality",
    "Manufacturer",
    "StationName",
    "BodyPartExamined",
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Rows",
    "Columns",
    "NumberOfFrames",
]
GAP_STEPS = 1.5  #: of the median step: beyond it a slice is missing, below it is jitter
SAME_PLACE_MM = 0.01


@dataclass(frozen=True)
class SeriesFacts:
    """The largest stack of a series: where its slices lie, and one of its headers."""

    header: Dataset  #: TAGS of one slice
    positions_mm: tuple[float, ...]  #: along the slice normal, ascending, without repeats
    normal: tuple[float, float, float]

    @property
    def step_mm(self) -> float:
        """Median distance of neighbouring slices; 0 with fewer than two."""
        return float(np.median(np.diff(self.positions_mm))) if len(self.positions_mm) > 1 else 0.0

    @property
    def coverage_mm(self) -> float:
        """From the first slice to the last."""
        return self.positions_mm[-1] - self.positions_mm[0] if self.positions_mm else 0.0

    @property
    def has_gap(self) -> bool:
        """Whether a slice is missing within the stack."""
        steps = np.diff(self.positions_mm)
        return bool(len(steps) and steps.max() > GAP_STEPS * np.median(steps))


def read_facts(paths: Sequence[Path]) -> SeriesFacts | None:
    """Facts of the files of one series.

    Returns:
        None where no file can be read: the compute child will say what is wrong with it.
    """
    stacks: dict[tuple[Any, ...], list[tuple[float, Dataset]]] = defaultdict(list)
    for path in paths:
        try:
            stack, place_mm, header = _place(path)
        except UNREADABLE:
            continue  # one bad file must not hide the others
        stacks[stack].append((place_mm, header))
    if not stacks:
        return None
    stack, slices = max(stacks.items(), key=lambda each: len(each[1]))
    ordered = sorted(place_mm for place_mm, _ in slices)
    places = [here for before, here in pairwise(ordered) if here - before > SAME_PLACE_MM]
    return SeriesFacts(slices[0][1], (ordered[0], *places), stack[:3])


def _place(path: Path) -> tuple[tuple[Any, ...], float, Dataset]:
    """The stack that a slice belongs to, its place along the normal in mm, its header."""
    header = dcmread(path, specific_tags=TAGS, stop_before_pixels=True)
    list(header)  # decodes every element now, where a wrong one only costs this file
    orientation = np.array(header.get("ImageOrientationPatient") or [1, 0, 0, 0, 1, 0], float)
    position_mm = np.array(header.get("ImagePositionPatient") or [0, 0, 0], float)
    normal = np.cross(orientation[:3], orientation[3:])
    # Twice rounded, and + 0.0 for the zero with a minus: equal directions must be equal keys.
    direction = (np.round(normal, 2) + 0.0).tolist()
    stack = (*direction, header.get("Rows"), header.get("Columns"))
    return stack, float(position_mm @ normal), header
