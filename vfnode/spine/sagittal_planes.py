"""Parallel planes through a whole column, unstraightened: what a viewer scrolls and measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import CTVolume, FloatArray

#: Stored where the CT has no voxels; below any tissue and below air.
OUTSIDE_HU = -2000
#: Room around the curve: discs and osteophytes in front, spinous processes behind.
FRONT_MM, BEHIND_MM, END_MM = 45.0, 65.0, 15.0
#: Bodies are 30 to 50 mm wide: 12 mm to each side of the curve stays inside most of a body.
SIDE_MM = 12.0
#: Distance of neighbouring planes; larger only where a curved spine needs more than MOST planes.
SPACING_MM = 2.0
MOST_PLANES = 32
#: Pixels are square and no finer than this: finer ones only interpolate and take room.
FINEST_PIXEL_MM = 0.8


@dataclass(frozen=True)
class SagittalPlanes:
    """Even parallel planes, patient's right to left, as images with rows down and columns back."""

    hu: npt.NDArray[np.int16]  #: (P, rows, columns); OUTSIDE_HU where the CT has no voxels
    origins_mm: FloatArray  #: (P, 3) patient LPS of the first pixel's centre of each plane
    row: FloatArray  #: (3,) unit vector along a row: to the patient's back
    column: FloatArray  #: (3,) unit vector down a column: to the patient's feet
    pixel_mm: float
    spacing_mm: float

    def __post_init__(self) -> None:
        for array in (self.hu, self.origins_mm, self.row, self.column):
            array.setflags(write=False)


def sagittal_planes(volume: CTVolume, curve: SpineCurve) -> SagittalPlanes:
    """Planes that hold the patient's back-front axis and follow the column's tilt to a side.

    The tilt is that of the straight line through the curve in the coronal plane, so that a
    straight but oblique column stays in one plane.

    Args:
        volume: the CT that is sampled, trilinearly; nothing is averaged over planes.
        curve: the column; LPS mm.
    """
    row, column = np.array([0.0, 1.0, 0.0]), _caudal(curve)
    left = np.cross(column, row)
    middle = curve.points_mm.mean(0)
    aside, back, down = ((curve.points_mm - middle) @ axis for axis in (left, row, column))
    asides, spacing_mm = _even(aside.min() - SIDE_MM, aside.max() + SIDE_MM)
    pixel_mm = max(FINEST_PIXEL_MM, float(np.sort(volume.spacing_mm)[0]))
    across = np.arange(back.min() - FRONT_MM, back.max() + BEHIND_MM, pixel_mm)
    along = np.arange(down.min() - END_MM, down.max() + END_MM, pixel_mm)
    origins = middle + asides[:, None] * left + across[0] * row + along[0] * column
    steps = (along - along[0])[:, None, None] * column + (across - across[0])[:, None] * row
    hu = np.stack([volume.sample(origin + steps, OUTSIDE_HU) for origin in origins])
    return SagittalPlanes(np.rint(hu).astype(np.int16), origins, row, column, pixel_mm, spacing_mm)


def _caudal(curve: SpineCurve) -> FloatArray:
    """Unit vector (3,) towards the feet in the coronal plane, along the column."""
    slope = np.polyfit(curve.points_mm[:, 2], curve.points_mm[:, 0], 1)[0]
    caudal: FloatArray = np.array([-slope, 0.0, -1.0]) / np.hypot(slope, 1.0)
    return caudal


def _even(first_mm: float, last_mm: float) -> tuple[FloatArray, float]:
    """Even places from the first at least to the last, and their distance."""
    spacing_mm = max(SPACING_MM, (last_mm - first_mm) / (MOST_PLANES - 1))
    count = int(np.ceil((last_mm - first_mm) / spacing_mm - 1e-9)) + 1
    places = np.asarray(first_mm + spacing_mm * np.arange(count), np.float64)
    return places, spacing_mm
