"""What is known of a series before anything is computed: from headers alone.

The facts come from the same slices, runs and gaps that reading makes its volume of: what is
chosen and waited for is what will be measured.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from vfnode.dicom.reading.alike import toward_caudal
from vfnode.dicom.reading.dicom_file import DicomFile, read_dicom_files
from vfnode.dicom.reading.image_faults import UNREADABLE
from vfnode.dicom.reading.joining import JoinedRuns, cover, join_runs
from vfnode.dicom.reading.left_out import WhyLeftOut
from vfnode.dicom.reading.runs import runs_of
from vfnode.dicom.reading.selection import Images, read_images
from vfnode.dicom.reading.series_tags import TAGS
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.dicom.reading.values import value_of
from vfnode.errors import NotEvaluableError, UnreadableInputError

#: Functional groups in which an Enhanced CT holds some of them.
GROUPS = (
    "CTImageFrameTypeSequence",
    "CTReconstructionSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameAnatomySequence",
)
#: Studies whose facts are kept: those that arrive at one time.
KEPT = 512


@dataclass(frozen=True)
class SeriesFacts:
    """What would be measured of a series, and one of its headers."""

    header: Dataset  #: TAGS of one slice, wherever an Enhanced CT holds them
    slices: int  #: that would be measured
    step_mm: float  #: usual distance of neighbouring slices; 0 with fewer than two
    thickness_mm: float  #: as the header states it; 0 where it does not
    coverage_mm: float  #: from the first slice to the last
    normal: tuple[float, float, float]
    has_gap: bool  #: a slice is missing between two others
    is_hu: bool  #: False where the headers name another quantity than HU


def read_facts(paths: Sequence[Path]) -> SeriesFacts | None:
    """Facts of the files of one series.

    Returns:
        None where no file can be read: the compute child will say what is wrong with it.
    """
    try:
        images = read_images(paths)
    except UnreadableInputError:
        return None
    if not images.slices:
        return _without_slices(paths, images)
    runs = runs_of(images.slices)
    try:
        return _of_joined(join_runs(runs))
    except NotEvaluableError:  # too little so far; what there is may still have a gap
        return _of_joined(cover(runs))


class FactsCache:
    """Facts that were read before: every set of files is read once, not once for each sibling.

    Safe to use from several threads; two that ask for the same at once may both read it.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, SeriesFacts | None] = OrderedDict()
        self._lock = threading.Lock()

    def facts(self, series: Hashable, paths: Sequence[Path]) -> SeriesFacts | None:
        """Facts of a series with exactly these files, as :func:`read_facts`."""
        key = (series, tuple(paths))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = read_facts(paths)
        with self._lock:
            self._known[key] = found
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found


def _of_joined(joined: JoinedRuns) -> SeriesFacts:
    best = joined.runs[0]
    places = joined.by_place(toward_caudal(best.slices[0]))
    return SeriesFacts(
        header=_header(best.slices[0]),
        slices=len(places),
        step_mm=best.step_mm,
        thickness_mm=_thickness_mm(best.slices[0]),
        coverage_mm=places[-1][0] - places[0][0],
        normal=_normal(best.slices[0]),
        has_gap=bool(joined.gaps_mm()),
        is_hu=True,
    )


def _without_slices(paths: Sequence[Path], images: Images) -> SeriesFacts | None:
    """Facts of a series without one slice: its header still says what it is."""
    not_hu = any(each.why is WhyLeftOut.NOT_HU for each in images.left_out)
    for found in read_dicom_files(paths):
        if isinstance(found, DicomFile):
            header = _tags([found.dataset])
            return SeriesFacts(header, 0, 0.0, 0.0, 0.0, (0.0, 0.0, 1.0), False, not not_hu)
    return None


def _normal(header: SliceHeader) -> tuple[float, float, float]:
    x, y, z = header.normal.tolist()
    return x, y, z


def _thickness_mm(header: SliceHeader) -> float:
    try:
        return max(0.0, float(_header(header).get("SliceThickness") or 0.0))
    except (TypeError, ValueError):
        return 0.0


def _header(header: SliceHeader) -> Dataset:
    """TAGS of a slice: at the top, else in the functional groups of its frame."""
    dataset = header.dataset
    per_frame = value_of(dataset, "PerFrameFunctionalGroupsSequence") or ()
    shared = value_of(dataset, "SharedFunctionalGroupsSequence") or ()
    groups = [*per_frame[header.frame : header.frame + 1], *shared]
    items = [item for group in groups for name in GROUPS for item in value_of(group, name) or ()]
    return _tags([*items, dataset])


def _tags(sources: Sequence[Dataset]) -> Dataset:
    """TAGS, each from the first source that has it."""
    found = Dataset()
    for keyword in TAGS:
        values = (value_of(source, keyword) for source in sources)
        value = next((each for each in values if each not in (None, "")), None)
        with suppress(*UNREADABLE):  # nonsense that can be read and not be written
            if value is not None:
                setattr(found, keyword, value)
    return found
