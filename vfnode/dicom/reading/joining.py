"""Runs of a series -> those that are measured together: one image a place, every anatomy once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vfnode.dicom.reading.alike import ANGLE_DEG, angle_deg, toward_caudal
from vfnode.dicom.reading.left_out import LeftOut, WhyLeftOut
from vfnode.dicom.reading.runs import GAP_STEPS, MIN_EXTENT_MM, MIN_SLICES, Run, Runs
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason
from vfnode.spine.volume import FloatArray

#: Up to here height ratios hold; thicker slices blur endplates.
THICK_MM = 3.0


@dataclass(frozen=True)
class JoinedRuns:
    """Runs that cover the patient once, the one that gives the grid first."""

    runs: tuple[Run, ...]
    left_out: tuple[LeftOut, ...]

    def by_place(self, normal: FloatArray) -> list[tuple[float, SliceHeader, float]]:
        """Offset along a normal, slice and usual step of its run; in order."""
        usual_mm = [run.step_mm or self.runs[0].step_mm for run in self.runs]
        found = [
            (float(header.position_mm @ normal), header, step_mm)
            for run, step_mm in zip(self.runs, usual_mm, strict=True)
            for header in run.slices
        ]
        return sorted(found, key=lambda item: item[0])

    def gaps_mm(self) -> list[float]:
        """Steps at which slices are missing."""
        places = self.by_place(toward_caudal(self.runs[0].slices[0]))
        return [
            after[0] - before[0]
            for before, after in pairwise(places)
            if is_gap(after[0] - before[0], before[2], after[2])
        ]


def is_gap(step_mm: float, before_mm: float, after_mm: float) -> bool:
    """Whether a slice is missing between two whose runs step so far."""
    return step_mm > GAP_STEPS * max(before_mm, after_mm)


def join_runs(found: Runs) -> JoinedRuns:
    """Cover the patient with runs, and leave out what lies astray.

    Raises:
        NotEvaluableError: what there is cannot hold a vertebral body.
    """
    covering = cover(found)
    used, strays = _without_strays(covering.runs)
    if not used:
        raise NotEvaluableError(Reason.TOO_FEW_SLICES.code, _too_few(covering.runs[0]))
    told = [left_out_of(each, WhyLeftOut.STRAY) for run in strays for each in run.slices]
    return JoinedRuns(tuple(used), (*covering.left_out, *told))


def cover(found: Runs) -> JoinedRuns:
    """Take the best run, then of each further one what lies where no image is yet."""
    left_out = [left_out_of(header, WhyLeftOut.SAME_PLACE) for header in found.same_place]
    used: list[Run] = []
    for run in sorted(found.runs, key=_rank):
        free = _free_part(run, used)
        used += [free] if free is not None else []
        kept = set(free.slices) if free is not None else set()
        why = WhyLeftOut.OTHER_STACK if len(run.slices) >= MIN_SLICES else WhyLeftOut.STRAY
        left_out += [left_out_of(each, why) for each in run.slices if each not in kept]
    return JoinedRuns(tuple(used), tuple(left_out))


def left_out_of(header: SliceHeader, why: WhyLeftOut, detail: str = "") -> LeftOut:
    """A slice that is not measured."""
    return LeftOut(
        header.path,
        header.frame,
        header.series_instance_uid,
        header.sop_instance_uid,
        why,
        detail,
    )


def _rank(run: Run) -> tuple[object, ...]:
    """Less is better: a stack, thin, long, of many slices; then the first phase, without agent."""
    natural = tuple(_natural(value) for value in run.slices[0].stack)
    thin = 0 < run.step_mm <= THICK_MM
    return (
        not run.is_stack,
        not thin,
        -round(run.extent_mm / MIN_EXTENT_MM),
        -len(run.slices),
        natural,
        float(run.offsets_mm[0]),
    )


def _natural(value: str) -> tuple[float, str]:
    """Numbers by size, then texts."""
    try:
        return float(value), ""
    except ValueError:
        return float("inf") if value else float("-inf"), value


def _free_part(run: Run, used: Sequence[Run]) -> Run | None:
    """The slices of a run that lie where no image is yet; None where they show nothing new.

    A further phase that ends a little later than the first is no other anatomy.
    """
    if not used:
        return run
    normal = toward_caudal(used[0].slices[0])
    if float(angle_deg(toward_caudal(run.slices[0]), normal)) > ANGLE_DEG:
        return None
    covered = [(each.offsets_mm[0], each.offsets_mm[-1]) for each in used]
    offsets = np.array([header.position_mm @ normal for header in run.slices])
    free = [
        index
        for index, offset in enumerate(offsets)
        if not any(start <= offset <= end for start, end in covered)
    ]
    overlaps = len(free) < len(run.slices)
    if not free or (overlaps and not _is_more(offsets[free], len(run.slices))):
        return None
    kept = run.part(free)
    return Run(kept.slices, offsets[free])


def _is_more(free_mm: FloatArray, slices: int) -> bool:
    """Whether what a run shows beyond the others is anatomy of its own."""
    mostly_new = len(free_mm) > slices / 2
    return mostly_new or (len(free_mm) >= MIN_SLICES and bool(np.ptp(free_mm) >= MIN_EXTENT_MM))


def _without_strays(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Runs that lie in a part of the patient which holds a body, and those that do not.

    A part ends where nothing lies for as long as a body needs.
    """
    parts: list[list[Run]] = []
    end = -np.inf
    for run in sorted(runs, key=lambda run: float(run.offsets_mm[0])):
        if not parts or run.offsets_mm[0] - end > MIN_EXTENT_MM:
            parts.append([])
        parts[-1].append(run)
        end = max(end, float(run.offsets_mm[-1]))
    large = {run for part in parts if _holds_a_body(part) for run in part}
    return [run for run in runs if run in large], [run for run in runs if run not in large]


def _holds_a_body(part: Sequence[Run]) -> bool:
    offsets = np.concatenate([run.offsets_mm for run in part])
    return len(offsets) >= MIN_SLICES and bool(np.ptp(offsets) >= MIN_EXTENT_MM)


def _too_few(best: Run) -> str:
    return (
        f"{len(best.slices)} slices over {best.extent_mm:.0f} mm; at least {MIN_SLICES} slices "
        f"over {MIN_EXTENT_MM:.0f} mm are needed"
    )
