"""CT files -> one volume a series, with what its results must carry."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from vfnode.dicom.reading.assembly import Assembled, assemble
from vfnode.dicom.reading.grid import Grid, make_grid
from vfnode.dicom.reading.identity_header import result_header
from vfnode.dicom.reading.inherited_uid import derived_uids
from vfnode.dicom.reading.joining import THICK_MM, JoinedRuns, join_runs, left_out_of
from vfnode.dicom.reading.left_out import LeftOut, WhyLeftOut
from vfnode.dicom.reading.one_patient import require_one_patient
from vfnode.dicom.reading.runs import MIN_SLICES, runs_of
from vfnode.dicom.reading.selection import Images, read_images
from vfnode.dicom.reading.slice_header import STACK_ATTRIBUTES, SliceHeader, sop_class_uid
from vfnode.dicom.reading.text_decoding import LATIN_1
from vfnode.dicom.reading.values import number_of
from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume, FloatArray

log = logging.getLogger(__name__)

DIAMETER = list(STACK_ATTRIBUTES).index("ReconstructionDiameter")
BEYOND_FIELD = 1.1  #: a crop shows less than its ReconstructionDiameter, and nothing shows more


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

    instances: tuple[SourceInstance, ...]  #: those that are measured, toward caudal
    header: Dataset  #: cleaned patient, study and equipment attributes (identity_header.py)
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str


@dataclass(frozen=True)
class CTSeries(SeriesSource):
    """A series that could be read, with its volume."""

    volume: CTVolume
    places: FloatArray  #: (n,) of the instances along ``volume``'s k axis, ascending
    left_out: tuple[LeftOut, ...] = ()  #: images of the series that are not measured
    notes: tuple[Reason, ...] = ()  #: what the headers say that limits a result

    @property
    def covered_mm(self) -> float:
        """Length of the patient that images show, along the axis of the slices."""
        step_mm = float(self.volume.spacing_mm[self.volume.slice_axis])
        return float(np.count_nonzero(self.volume.is_image)) * step_mm

    def instance_at(self, point_mm: FloatArray) -> SourceInstance:
        """The slice nearest to a patient point (3,), LPS mm."""
        return self.place_of(point_mm).instance

    def place_of(self, point_mm: FloatArray) -> SlicePlace:
        """The same with its place in the stack."""
        k = float(self.volume.to_voxel(np.asarray(point_mm, float))[0])
        index = int(np.abs(self.places - k).argmin())
        return SlicePlace(self.instances[index], index + 1, len(self.instances))


def read_ct_series(paths: Sequence[Path], fallback_encoding: str = LATIN_1) -> tuple[CTSeries, ...]:
    """Read every original CT series of some files and folders, thinnest slices first.

    A series that cannot be evaluated is passed over while another one can; an image that is no
    slice of its series is left out and told.

    Args:
        fallback_encoding: Python name of the encoding of texts in headers whose declared
            character set is missing or wrong (identity_header.py).

    Raises:
        UnreadableInputError: nothing there, or no DICOM; names it.
        NotEvaluableError: no series that can be evaluated; carries a coded reason.
    """
    images = read_images(paths)
    if not images.slices:
        raise _no_slices(images.left_out)
    series: list[CTSeries] = []
    refusal: NotEvaluableError | None = None
    sizes = Counter(header.series_key for header in images.slices)
    for key, slices in sorted(images.by_series().items(), key=lambda item: -len(item[1])):
        try:
            strangers = require_one_patient(key, sizes)
            found = _read_series(slices, fallback_encoding)
        except NotEvaluableError as error:
            log.info("series %s passed over: %s", key.series_instance_uid, error)
            refusal = refusal or error
            continue
        told = _with_left_out(found, images, key.series_instance_uid)
        series.append(replace(told, notes=(*told.notes, *strangers)))
    if not series and refusal:
        raise refusal
    return tuple(sorted(series, key=lambda found: float(found.volume.spacing_mm[0])))


def _no_slices(left_out: Sequence[LeftOut]) -> NotEvaluableError:
    """Why there is not one slice: what most images of CT class lack."""
    reasons = {
        WhyLeftOut.NOT_HU: Reason.NOT_HU,
        WhyLeftOut.NOT_A_SLICE: Reason.GEOMETRY_REFUSED,
        WhyLeftOut.DAMAGED: Reason.GEOMETRY_REFUSED,
    }
    of_ct = [each for each in left_out if each.why is not WhyLeftOut.NOT_CT] or list(left_out)
    (why, detail), count = Counter((each.why, each.detail) for each in of_ct).most_common(1)[0]
    told = detail or "no original CT slice among the DICOM files"
    return NotEvaluableError(
        reasons.get(why, Reason.NOT_CT).code, f"{told} ({count} of {len(left_out)} images)"
    )


def _read_series(slices: Sequence[SliceHeader], fallback_encoding: str) -> CTSeries:
    """The volume of the slices of one series; slices whose pixels are damaged are left out.

    Raises:
        NotEvaluableError: they cannot hold a vertebral body.
    """
    damaged: dict[SliceHeader, str] = {}
    while True:
        whole = [header for header in slices if header not in damaged]
        if not whole:
            raise NotEvaluableError(Reason.GEOMETRY_REFUSED.code, next(iter(damaged.values())))
        joined = join_runs(runs_of(whole))
        for run in joined.runs:
            _require_field_of_view(run.slices[0])
        grid = make_grid(joined)
        assembled = assemble(grid)
        if not assembled.damaged:
            break
        damaged |= assembled.damaged
        del assembled  # two volumes at once would double the peak of memory
    series = _series(grid, assembled, joined, fallback_encoding)
    told = [left_out_of(item, WhyLeftOut.DAMAGED, why) for item, why in damaged.items()]
    return replace(series, left_out=(*told, *series.left_out))


def _require_field_of_view(header: SliceHeader) -> None:
    """Refuse pixels that fill more than the scanner reconstructed: PixelSpacing was replaced.

    Raises:
        NotEvaluableError: scale-implausible.
    """
    diameter_mm = number_of(header.stack[DIAMETER])
    width_mm = header.shape[1] * header.pixel_spacing_mm[1]
    if diameter_mm and width_mm > BEYOND_FIELD * diameter_mm:
        raise NotEvaluableError(
            Reason.SCALE_IMPLAUSIBLE.code,
            f"{width_mm:.0f} mm of pixels in a field of view of {diameter_mm:.0f} mm",
        )


def _series(
    grid: Grid, assembled: Assembled, joined: JoinedRuns, fallback_encoding: str
) -> CTSeries:
    slices = [each.header for each in grid.slices]
    first = slices[0]
    header = result_header(first.dataset, first.series_instance_uid, fallback_encoding)
    frame_uid, frame_notes = _frame_of_reference(slices)
    return CTSeries(
        volume=CTVolume(assembled.hu, grid.affine, assembled.is_image),
        places=np.array([each.place for each in grid.slices]),
        instances=tuple(_source(each) for each in slices),
        header=header,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=first.series_instance_uid,
        frame_of_reference_uid=frame_uid,
        left_out=joined.left_out,
        notes=(
            *frame_notes,
            *_notes(assembled, joined),
            *derived_uids(each.dataset for each in slices),
        ),
    )


def _with_left_out(series: CTSeries, images: Images, uid: str) -> CTSeries:
    """The series with every image that is not measured, and the notes that say so."""
    left_out = (*images.left_out_of(uid), *series.left_out)
    others = sum(each.why is WhyLeftOut.OTHER_STACK for each in left_out)
    facts = {
        Reason.ONE_STACK_OF_SEVERAL: others >= MIN_SLICES,
        Reason.IMAGES_LEFT_OUT: len(left_out) > others,
    }
    notes = tuple(reason for reason, holds in facts.items() if holds)
    return replace(series, left_out=left_out, notes=(*series.notes, *notes))


def _notes(assembled: Assembled, joined: JoinedRuns) -> tuple[Reason, ...]:
    facts = {
        Reason.RESAMPLED: assembled.is_resampled,
        Reason.SLICE_GAP: assembled.has_gap,
        Reason.THICK_SLICES: any(run.step_mm > THICK_MM for run in joined.runs if run.is_stack),
    }
    return tuple(reason for reason, holds in facts.items() if holds)


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
    return SourceInstance(
        sop_class_uid=sop_class_uid(item.dataset),
        sop_instance_uid=item.sop_instance_uid,
        path=item.path,
        frame=item.frame,
        instance_number=item.instance_number,
    )
