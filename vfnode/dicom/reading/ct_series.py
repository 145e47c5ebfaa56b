"""CT files -> one volume a series, with what its results must carry."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from vfnode.dicom.reading.geometry import MIN_SLICES, order_slices, stack_affine
from vfnode.dicom.reading.identity_header import result_header
from vfnode.dicom.reading.inherited_uid import derived_uids
from vfnode.dicom.reading.one_patient import require_one_patient
from vfnode.dicom.reading.pixels import read_hu
from vfnode.dicom.reading.selection import group_slices, read_headers
from vfnode.dicom.reading.slice_header import SliceHeader, sop_class_uid
from vfnode.dicom.reading.stacks import stacks_of
from vfnode.dicom.reading.text_decoding import LATIN_1
from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume, FloatArray

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceInstance:
    """One slice of the series that was read: a CT instance, or a frame of an Enhanced CT."""

    sop_class_uid: str
    sop_instance_uid: str
    path: Path
    frame: int  #: from 0
    instance_number: int | None  #: as viewers show it


@dataclass(frozen=True)
class SlicePlace:
    """A slice and where it lies in its stack."""

    instance: SourceInstance
    number: int  #: from 1
    count: int


@dataclass(frozen=True)
class SeriesSource:
    """The instances of a series and what its results must carry; known from headers alone."""

    instances: tuple[SourceInstance, ...]  #: one a slice; in a CTSeries as ``volume``'s k axis
    header: Dataset  #: cleaned patient, study and equipment attributes (header.py)
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str


@dataclass(frozen=True)
class CTSeries(SeriesSource):
    """A series that could be read, with its volume."""

    volume: CTVolume
    notes: tuple[Reason, ...] = ()  #: what the headers say that limits a result

    def instance_at(self, point_mm: FloatArray) -> SourceInstance:
        """The slice nearest to a patient point (3,), LPS mm."""
        return self.place_of(point_mm).instance

    def place_of(self, point_mm: FloatArray) -> SlicePlace:
        """The same with its place in the stack."""
        k = round(float(self.volume.to_voxel(np.asarray(point_mm, float))[0]))
        index = min(max(k, 0), len(self.instances) - 1)
        return SlicePlace(self.instances[index], index + 1, len(self.instances))


def read_ct_series(paths: Sequence[Path], fallback_encoding: str = LATIN_1) -> tuple[CTSeries, ...]:
    """Read every original CT series of some files and folders, thinnest slices first.

    A series that cannot be evaluated is passed over while another one can.

    Args:
        fallback_encoding: Python name of the encoding of texts in headers whose declared
            character set is missing or wrong (header.py).

    Raises:
        UnreadableInputError: nothing there, no DICOM, or a damaged file; names it.
        NotEvaluableError: no series that can be evaluated; carries a coded reason.
    """
    headers = read_headers(paths)
    if not headers:
        raise NotEvaluableError(Reason.NOT_CT.code, "no original CT slice among the DICOM files")
    series: list[CTSeries] = []
    refusal: NotEvaluableError | None = None
    sizes = Counter(header.series_key for header in headers)
    for key, slices in sorted(group_slices(headers).items(), key=lambda item: -len(item[1])):
        try:
            strangers = require_one_patient(key, sizes)
            stack, affine = _first_volume(slices)
        except NotEvaluableError as error:
            log.info("series %s passed over: %s", key.series_instance_uid, error)
            refusal = refusal or error
            continue
        given = [header for header in headers if header.series_key == key]
        found = _assemble(stack, affine, fallback_encoding)
        series.append(replace(found, notes=(*found.notes, *strangers, *_left_out(stack, given))))
    if not series and refusal:
        raise refusal
    return tuple(sorted(series, key=lambda found: float(found.volume.spacing_mm[0])))


def _first_volume(slices: Sequence[SliceHeader]) -> tuple[list[SliceHeader], FloatArray]:
    """The first stack of a series that forms a regular volume: its ordered slices, its affine.

    Raises:
        NotEvaluableError: none does; why the likeliest one does not.
    """
    refusals = []
    for stack in stacks_of(slices):
        ordered = order_slices(stack)
        try:
            return ordered, stack_affine(ordered)
        except NotEvaluableError as error:
            refusals.append(error)
    raise refusals[0]


def _left_out(stack: Sequence[SliceHeader], given: Sequence[SliceHeader]) -> tuple[Reason, ...]:
    """Whether the series holds as much as a stack beside the one that is used."""
    used = {(header.sop_instance_uid, header.frame) for header in stack}
    others = {(header.sop_instance_uid, header.frame) for header in given} - used
    return (Reason.ONE_STACK_OF_SEVERAL,) if len(others) >= MIN_SLICES else ()


def _assemble(slices: list[SliceHeader], affine: FloatArray, fallback_encoding: str) -> CTSeries:
    first = slices[0]
    header = result_header(first.dataset, first.series_instance_uid, fallback_encoding)
    frame_uid, notes = _frame_of_reference(slices)
    return CTSeries(
        volume=CTVolume(read_hu(slices), affine),
        instances=tuple(_source(item) for item in slices),
        header=header,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=first.series_instance_uid,
        frame_of_reference_uid=frame_uid,
        notes=(*notes, *derived_uids(item.dataset for item in slices)),
    )


def _frame_of_reference(slices: Sequence[SliceHeader]) -> tuple[str, tuple[Reason, ...]]:
    """The frame that most slices name, the first of equals, and whether it had to be chosen.

    Anonymisers give every slice a frame of its own, or take it away: the positions still form
    one regular stack, which no accident does.
    """
    named = Counter(item.frame_of_reference_uid for item in slices)
    own = bool(slices[0].dataset.get("FrameOfReferenceUID"))
    notes = () if own and len(named) == 1 else (Reason.FRAME_ASSUMED,)
    return named.most_common(1)[0][0], notes


def _source(item: SliceHeader) -> SourceInstance:
    number = item.dataset.get("InstanceNumber")
    return SourceInstance(
        sop_class_uid=sop_class_uid(item.dataset),
        sop_instance_uid=item.sop_instance_uid,
        path=item.path,
        frame=item.frame,
        instance_number=int(number) if number else None,
    )
