"""Regular runs of slices: each one step from the one before, whatever lies between and beside."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vfnode.dicom.reading.alike import alike, toward_caudal
from vfnode.dicom.reading.slice_header import STACK_ATTRIBUTES, SliceHeader
from vfnode.spine.volume import FloatArray

#: A stack shorter than this cannot hold one vertebral body with both neighbouring discs.
MIN_EXTENT_MM = 30.0
MIN_SLICES = 8
#: Slices closer than this lie at the same position: no scanner steps so little.
SAME_POSITION_MM = 0.02
#: Steps of one run differ by less than this part of the usual one; a tenth of a millimetre always.
STEP_PART = 0.25
STEP_MM = 0.1
#: A step of this many usual ones has lost a slice.
GAP_STEPS = 1.5
#: Neighbours, near and less near, whose distance may be the step of a run.
REACH = 3
CANDIDATES = 8
FEWEST = 3  #: slices that show a step


@dataclass(frozen=True, eq=False)
class Run:
    """Slices of one plane in order, toward caudal, each about a step from the one before."""

    slices: tuple[SliceHeader, ...]
    offsets_mm: FloatArray  #: (n,) along the caudal normal

    @property
    def step_mm(self) -> float:
        """Usual distance of neighbours; 0 for a single slice."""
        return self.extent_mm / (len(self.slices) - 1) if len(self.slices) > 1 else 0.0

    @property
    def extent_mm(self) -> float:
        """From the first slice to the last."""
        return float(self.offsets_mm[-1] - self.offsets_mm[0])

    @property
    def is_stack(self) -> bool:
        """Whether a vertebral body has room in it."""
        return len(self.slices) >= MIN_SLICES and self.extent_mm >= MIN_EXTENT_MM

    def part(self, chosen: Sequence[int]) -> Run:
        """Some of its slices, by their places."""
        return Run(tuple(self.slices[i] for i in chosen), self.offsets_mm[list(chosen)])


@dataclass(frozen=True)
class Runs:
    """What the slices of a series form."""

    runs: tuple[Run, ...]  #: single slices are runs of one
    same_place: tuple[SliceHeader, ...]  #: further images where another one lies


def runs_of(slices: Sequence[SliceHeader]) -> Runs:
    """The regular runs of a series' slices: one plane and one phase each."""
    found: list[Run] = []
    same_place: list[SliceHeader] = []
    for group in alike(slices):
        for part in _phases(group):
            ordered, doubled = _one_a_position(part)
            same_place += doubled
            found += _regular(Run(tuple(ordered), _offsets(ordered)))
    return Runs(tuple(found), tuple(same_place))


def _offsets(slices: Sequence[SliceHeader]) -> FloatArray:
    normal = toward_caudal(slices[0])
    return np.array([header.position_mm @ normal for header in slices])


def _one_a_position(
    slices: Sequence[SliceHeader],
) -> tuple[list[SliceHeader], list[SliceHeader]]:
    """Slices by position along their normal, one a position, and the further ones.

    Only ImagePositionPatient decides: InstanceNumber may follow anything. Of slices at the
    same position the one of the largest acquisition stays, then the lowest InstanceNumber,
    then the lowest UID.
    """
    normal = toward_caudal(slices[0])
    acquisition = list(STACK_ATTRIBUTES).index("AcquisitionNumber")
    sizes = Counter(header.stack[acquisition] for header in slices)
    ranked = sorted(
        slices,
        key=lambda header: (
            -sizes[header.stack[acquisition]],
            header.instance_number or 0,
            header.sop_instance_uid,
            header.frame,
        ),
    )
    kept: list[SliceHeader] = []
    doubled: list[SliceHeader] = []
    # The sort is stable: of slices at exactly one position the first in rank comes first.
    for header in sorted(ranked, key=lambda header: float(header.position_mm @ normal)):
        step = (header.position_mm - kept[-1].position_mm) @ normal if kept else np.inf
        (kept if step > SAME_POSITION_MM else doubled).append(header)
    return kept, doubled


def _phases(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """The slices by the first attribute that parts stacks which lie on or within each other.

    A scan in several steps has several acquisitions too: those follow each other, and stay.
    """
    overlap = len(slices) - len(_one_a_position(slices)[0]) >= MIN_SLICES
    for index in range(len(STACK_ATTRIBUTES)):
        found: dict[str, list[SliceHeader]] = defaultdict(list)
        for header in slices:
            found[header.stack[index]].append(header)
        parts = sorted(found.values(), key=len, reverse=True)
        if len(parts) == 1 or len(parts[0]) < MIN_SLICES:
            continue
        if _lie_apart(parts) if overlap else _interleave(parts):
            return parts
    return [list(slices)]


def _lie_apart(parts: Iterable[Sequence[SliceHeader]]) -> bool:
    """Whether no part has more slices on each other than neighbouring acquisitions share."""
    return all(len(part) - len(_one_a_position(part)[0]) < MIN_SLICES for part in parts)


def _interleave(parts: Sequence[Sequence[SliceHeader]]) -> bool:
    """Whether the two largest parts are regular stacks of which one lies within the other."""
    first, second = (_one_a_position(part)[0] for part in parts[:2])
    if len(second) < MIN_SLICES:
        return False
    ends = [(offsets[0], offsets[-1]) for offsets in (_offsets(first), _offsets(second))]
    shared = min(end for _, end in ends) - max(start for start, _ in ends)
    stacks = (Run(tuple(part), _offsets(part)) for part in (first, second))
    return bool(shared >= MIN_EXTENT_MM) and all(_is_regular(stack) for stack in stacks)


def _tolerance_mm(step_mm: float) -> float:
    return max(STEP_MM, STEP_PART * step_mm)


def _is_regular(run: Run) -> bool:
    """Whether the slices form one run as they are."""
    if len(run.slices) <= 1:
        return True
    positions = np.array([header.position_mm for header in run.slices])
    steps = np.diff(positions, axis=0)
    off_mm = np.linalg.norm(steps - np.median(steps, axis=0), axis=1).max()
    if off_mm <= _tolerance_mm(run.step_mm):
        return True
    # Rounded positions make uneven steps and still lie along an even line.
    index = np.arange(len(positions))
    step, start = np.polyfit(index, positions, 1)
    off_mm = np.linalg.norm(positions - (start + index[:, None] * step), axis=1).max()
    return bool(off_mm <= _tolerance_mm(run.step_mm))


def _regular(run: Run) -> list[Run]:
    """The slices in regular runs; what fits into none stays single."""
    if _is_regular(run):
        return [run]
    chains = max(
        (_chains(run, step) for step in _candidate_steps(run)), key=_orderliness, default=[]
    )
    if not chains:
        return [run.part([index]) for index in range(len(run.slices))]
    taken = {place for chain in chains for place in chain}
    rest = [place for place in range(len(run.slices)) if place not in taken]
    return [*(run.part(chain) for chain in chains), *(_regular(run.part(rest)) if rest else [])]


def _orderliness(chains: Sequence[Sequence[int]]) -> int:
    """Slices in runs, less those that the runs step over: of two steps the one that skips fewer."""
    skipped = sum(chain[-1] - chain[0] + 1 - len(chain) for chain in chains)
    return sum(map(len, chains)) - skipped if chains else -sys.maxsize


def _candidate_steps(run: Run) -> list[float]:
    """Distances that are frequent between near neighbours, the most frequent first."""
    offsets = run.offsets_mm
    distances = np.concatenate([offsets[n:] - offsets[:-n] for n in range(1, REACH + 1)])
    counted = Counter(np.round(distances, 1).tolist())
    near = [value for value, _ in counted.most_common(CANDIDATES) if value > 0]
    # The middle of those that round to one value, and not the value: the step is exact.
    return [float(np.median(distances[np.abs(distances - value) <= STEP_MM])) for value in near]


def _chains(run: Run, step_mm: float) -> list[list[int]]:
    """Runs of places that follow each other by a step; those too short to show one left out."""
    offsets = run.offsets_mm.tolist()
    positions = np.array([header.position_mm for header in run.slices])
    tolerance = _tolerance_mm(step_mm)
    taken: set[int] = set()
    chains = []
    for start in range(len(offsets)):
        if start in taken:
            continue
        chain, move = [start], None
        while (found := _next(chain[-1], step_mm, offsets, tolerance, taken)) is not None:
            moved = positions[found] - positions[chain[-1]]
            if move is not None and np.linalg.norm(moved - move) > tolerance:
                break
            move = moved if move is None else move
            chain.append(found)
        if len(chain) >= FEWEST:
            taken.update(chain)
            chains.append(chain)
    return chains


def _next(
    last: int, step_mm: float, offsets: Sequence[float], tolerance: float, taken: set[int]
) -> int | None:
    """The free slice nearest to one step further; None within the tolerance."""
    wanted = offsets[last] + step_mm
    begin = bisect_left(offsets, wanted - tolerance)
    end = bisect_left(offsets, wanted + tolerance, begin)
    free = [i for i in range(begin, end) if i not in taken and i > last]
    return min(free, key=lambda i: abs(offsets[i] - wanted), default=None)
