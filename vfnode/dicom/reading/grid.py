"""The even grid of a volume, and which slice stands where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfnode.dicom.reading.alike import is_alike, toward_caudal
from vfnode.dicom.reading.joining import JoinedRuns, is_gap
from vfnode.dicom.reading.runs import Run
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.spine.volume import FloatArray

#: Scanners and archives round ImagePositionPatient; a tenth of a slice changes no height.
JITTER_PART = 0.1
JITTER_MM = 0.1
#: Positions in whole millimetres are rounded ones: the slices lie where an even stack has them.
ROUNDED_MM = 0.5


@dataclass(frozen=True)
class PlacedSlice:
    """A slice and its place along the grid; whole numbers are places of the volume."""

    header: SliceHeader
    place: float
    step: float  #: usual distance of neighbours in its run, in places
    lies_beside: bool  #: within its plane it has other pixels than the grid, or lies shifted


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie, and from which slices they come."""

    affine: FloatArray  #: (4, 4) voxel (k, r, c, 1) -> patient LPS mm
    shape: tuple[int, int, int]
    slices: tuple[PlacedSlice, ...]  #: by place

    @property
    def step_mm(self) -> float:
        """Distance of places along the normal."""
        return abs(float(self.affine[:3, 0] @ toward_caudal(self.slices[0].header)))

    def exact(self) -> dict[int, PlacedSlice]:
        """Place -> the slice that stands there as it is."""
        near = _tolerance_mm(self.step_mm) / self.step_mm
        found: dict[int, PlacedSlice] = {}
        for each in self.slices:
            place = round(each.place)
            if abs(each.place - place) <= near and 0 <= place < self.shape[0]:
                found.setdefault(place, each)
        return found

    def neighbours(self, place: int) -> tuple[PlacedSlice, PlacedSlice] | None:
        """The slices before and after a place where none stands; None beyond the ends."""
        places = [each.place for each in self.slices]
        after = int(np.searchsorted(places, place))
        if after in (0, len(places)):
            return None
        return self.slices[after - 1], self.slices[after]

    def is_gap(self, before: PlacedSlice, after: PlacedSlice) -> bool:
        """Whether a slice is missing between two neighbours."""
        return is_gap(after.place - before.place, before.step, after.step)


def make_grid(joined: JoinedRuns) -> Grid:
    """The grid of the run with the finest steps that is a stack, over everything that is joined."""
    base = min(
        (run for run in joined.runs if run.is_stack),
        key=lambda run: run.step_mm,
        default=max(joined.runs, key=lambda run: len(run.slices)),
    )
    affine = base_affine(base)
    normal = toward_caudal(base.slices[0])
    origin_mm, step_mm = float(affine[:3, 3] @ normal), float(affine[:3, 0] @ normal)
    # On an even stack a slice lies where the stack has it: jitter and rounding are no places.
    even = base.slices if _is_even(base) else ()
    own = {header: float(index) for index, header in enumerate(even)}
    placed = [
        (own.get(header, (offset - origin_mm) / step_mm), header, usual_mm / step_mm)
        for offset, header, usual_mm in joined.by_place(normal)
    ]
    placed.sort(key=lambda item: item[0])
    first, last = np.ceil(placed[0][0] - JITTER_PART), np.floor(placed[-1][0] + JITTER_PART)
    slices = tuple(
        PlacedSlice(
            header,
            place - first,
            usual,
            header not in own and _lies_beside(header, affine, place, base.slices[0]),
        )
        for place, header, usual in placed
    )
    affine[:3, 3] += first * affine[:3, 0]
    return Grid(affine, (int(last - first) + 1, *base.slices[0].shape), slices)


def base_affine(run: Run) -> FloatArray:
    """Affine (4, 4) voxel (k, r, c, 1) -> patient LPS mm of one run.

    Spacing comes from all positions. A tilted gantry moves each slice sideways: the step
    from slice to slice is kept as it is, so the affine is sheared and nothing is skewed.
    """
    positions = np.array([header.position_mm for header in run.slices])
    if _is_even(run):
        step, start = np.polyfit(np.arange(len(positions)), positions, 1)
    else:
        per_mm, origin = np.polyfit(run.offsets_mm, positions, 1)
        step, start = per_mm * run.step_mm, origin + per_mm * run.offsets_mm[0]
    first = run.slices[0]
    rows_mm, columns_mm = first.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = first.orientation[3:] * rows_mm
    affine[:3, 2] = first.orientation[:3] * columns_mm
    affine[:3, 3] = start
    return affine


def in_plane(header: SliceHeader, affine: FloatArray, place: float) -> npt.NDArray[np.float64]:
    """Affine (3, 3) from pixels (r, c, 1) of the grid at a place to pixels of a slice."""
    rows_mm, columns_mm = header.pixel_spacing_mm
    axes = np.stack([header.orientation[3:] / rows_mm, header.orientation[:3] / columns_mm])
    origin = affine[:3, 3] + place * affine[:3, 0] - header.position_mm
    found = np.eye(3)
    found[:2, :2] = axes @ affine[:3, 1:3]
    found[:2, 2] = axes @ origin
    return found


def _lies_beside(header: SliceHeader, affine: FloatArray, place: float, base: SliceHeader) -> bool:
    """Whether the pixels of a slice lie elsewhere than those of the grid, beyond jitter."""
    if not is_alike(header, base):
        return True
    # Directions and spacings of alike slices differ a little: only the shift counts.
    middle = np.array([base.shape[0] / 2, base.shape[1] / 2, 1.0])
    moved = (in_plane(header, affine, place) @ middle - middle)[:2]
    moved_mm = float(np.linalg.norm(moved * header.pixel_spacing_mm))
    return moved_mm > _tolerance_mm(float(np.linalg.norm(affine[:3, 0])))


def _is_even(run: Run) -> bool:
    """Whether the slices lie on a straight even stack, or on one whose positions were rounded."""
    positions = np.array([header.position_mm for header in run.slices])
    if len(positions) < 2:  # noqa: PLR2004 - no step
        return False
    index = np.arange(len(positions))
    step, start = np.polyfit(index, positions, 1)
    off_mm = float(np.abs(positions - (start + index[:, None] * step)).max())
    rounded = bool(np.all(positions == np.rint(positions)))
    return off_mm <= max(_tolerance_mm(run.step_mm), (ROUNDED_MM + JITTER_MM) * rounded)


def _tolerance_mm(step_mm: float) -> float:
    return max(JITTER_MM, JITTER_PART * step_mm)
