"""Slices on a grid -> HU of a volume, and at which of its places there are images."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from vfnode.dicom.reading.grid import Grid, PlacedSlice, in_plane
from vfnode.dicom.reading.image_faults import ImageFault
from vfnode.dicom.reading.pixels import LOWEST_HU, read_hu
from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.spine.volume import AIR_HU

Plane = npt.NDArray[np.int16]
#: Holes up to here are bridged for the eyes of the networks; they stay marked as no image.
BRIDGE_MM = 15.0


@dataclass
class Assembled:
    """The volume of a grid, and what was learned while it was read."""

    hu: npt.NDArray[np.int16]  #: (K, R, C)
    is_image: npt.NDArray[np.bool_]  #: (K,) whether data were there
    is_resampled: bool = False  #: some data come from between slices, or from other pixels
    has_gap: bool = False  #: a slice is missing between two others
    damaged: dict[SliceHeader, str] = field(default_factory=dict)  #: unreadable pixels, and why


def assemble(grid: Grid) -> Assembled:
    """Read every slice of a grid, straight into its place where it stands at one.

    Constant slices are no data, nor are neighbours of which one repeats the other. What lies
    between two slices is their weighted mean; where a slice is missing, it is no image.
    """
    made = Assembled(np.empty(grid.shape, np.int16), np.zeros(grid.shape[0], bool))
    exact = {each.header: place for place, each in grid.exact().items()}
    is_data: dict[SliceHeader, bool] = {}
    before: tuple[PlacedSlice, Plane] | None = None
    for slice_ in grid.slices:
        plane = _read(slice_, grid, made, exact.get(slice_.header))
        if plane is None:
            continue
        repeats = before is not None and _is_equal(before[1], plane)
        is_data[slice_.header] = not repeats and not _is_constant(plane)
        if before is not None:
            is_data[before[0].header] &= not repeats
            _fill_between(made.hu, grid, before, (slice_, plane), set(exact.values()))
        before = slice_, plane
    _mark(made, grid, is_data)
    return made


def _read(slice_: PlacedSlice, grid: Grid, made: Assembled, place: int | None) -> Plane | None:
    """HU of a slice on the pixels of the grid; None where they are damaged."""
    header = slice_.header
    direct = place is not None and not slice_.lies_beside
    plane = made.hu[place] if direct else np.empty(header.shape, np.int16)
    try:
        read_hu(header, plane)
    except ImageFault as fault:
        made.damaged[header] = str(fault)
        return None
    if slice_.lies_beside:
        matrix = in_plane(header, grid.affine, slice_.place)
        plane = affine_transform(
            plane, matrix, output_shape=grid.shape[1:], order=1, cval=LOWEST_HU, prefilter=False
        )
        if place is not None:
            made.hu[place] = plane
    return plane


def _fill_between(
    hu: Plane,
    grid: Grid,
    before: tuple[PlacedSlice, Plane],
    after: tuple[PlacedSlice, Plane],
    taken: set[int],
) -> None:
    """Write the places between two slices: their mean by distance, air in a long hole."""
    (first, plane), (second, next_plane) = before, after
    distance = second.place - first.place
    for place in range(int(np.ceil(first.place)), int(np.floor(second.place)) + 1):
        if place in taken:
            continue
        if distance * grid.step_mm > BRIDGE_MM:
            hu[place] = AIR_HU
            continue
        share = np.float32((place - first.place) / distance)
        hu[place] = np.rint(plane + (next_plane.astype(np.float32) - plane) * share)


def _mark(made: Assembled, grid: Grid, is_data: dict[SliceHeader, bool]) -> None:
    """Say at which places there are images, and how they came there."""
    read = [each for each in grid.slices if each.header in is_data]
    exact = {place for place, each in grid.exact().items() if each.header in is_data}
    for place, each in grid.exact().items():
        made.is_image[place] = is_data.get(each.header, False)
        made.is_resampled |= each.lies_beside
    for first, second in pairwise(read):
        gap = grid.is_gap(first, second)
        made.has_gap |= gap
        between = range(int(np.ceil(first.place)), int(np.floor(second.place)) + 1)
        missing = [place for place in between if place not in exact]
        made.is_image[missing] = not gap and is_data[first.header] and is_data[second.header]
        made.is_resampled |= bool(missing) and not gap


def _is_constant(plane: Plane) -> bool:
    middle = plane[len(plane) // 2]
    return bool(middle.min() == middle.max() and plane.min() == plane.max())


def _is_equal(one: Plane, other: Plane) -> bool:
    middle = len(one) // 2
    return np.array_equal(one[middle], other[middle]) and np.array_equal(one, other)
