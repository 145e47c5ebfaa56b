"""Parallel planes through the column: true places, true sizes, all of the spine."""

import numpy as np
import pytest

from vfnode.spine.curve import SpineCurve
from vfnode.spine.sagittal_planes import MOST_PLANES, OUTSIDE_HU, sagittal_planes
from vfnode.spine.volume import CTVolume


def ramp() -> CTVolume:
    """HU that tells its own place: 3 x + 2 y + z, trilinear sampling is exact in it."""
    affine = np.array([[0, 0, 2.0, -80.0], [0, 2.0, 0, -80.0], [-3.0, 0, 0, 150.0], [0, 0, 0, 1.0]])
    k, r, c = np.meshgrid(np.arange(101), np.arange(101), np.arange(81), indexing="ij")
    x, y, z = (affine[:3, :3] @ np.stack([k, r, c]).reshape(3, -1)) + affine[:3, 3:]
    return CTVolume((3 * x + 2 * y + z).reshape(k.shape).astype(np.int16), affine)


def leaning(slope: float) -> SpineCurve:
    """A straight column that leaves the midline by ``slope`` mm a mm."""
    z = np.linspace(100, -100, 30)
    return SpineCurve.from_points(np.stack([slope * z, 0 * z, z], 1))


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.2])
def test_every_pixel_holds_the_tissue_of_its_place(slope):
    """Origin, axes and pixel size lead from a pixel to the patient point that it shows."""
    planes = sagittal_planes(ramp(), leaning(slope))
    plane, down, back = 3, 60, 40

    place = planes.origins_mm[plane] + planes.pixel_mm * (down * planes.column + back * planes.row)

    assert planes.hu[plane, down, back] == pytest.approx(place @ [3, 2, 1], abs=0.51)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_straight_column_lies_in_one_plane(slope):
    """A lean to the side tilts the planes and adds none."""
    planes = sagittal_planes(ramp(), leaning(slope))

    assert len(planes.hu) == 13  # 12 mm to each side, 2 mm apart
    normal = np.cross(planes.row, planes.column)
    assert np.abs(leaning(slope).points_mm @ normal).max() < 0.1


def test_planes_are_even_and_run_from_the_patients_right_to_left():
    """Viewers sort by position: the step between origins is the spacing, along the normal."""
    planes = sagittal_planes(ramp(), leaning(0.1))

    steps = np.diff(planes.origins_mm, axis=0)
    assert np.allclose(np.linalg.norm(steps, axis=1), planes.spacing_mm)
    assert (steps[:, 0] > 0).all()
    assert np.allclose(steps @ planes.row, 0)


def test_a_curved_spine_is_covered_by_planes_further_apart():
    """Scoliosis costs resolution from plane to plane, never a part of the column."""
    z = np.linspace(100, -100, 50)
    curve = SpineCurve.from_points(np.stack([60 * np.sin(z / 30), 0 * z, z], 1))

    planes = sagittal_planes(ramp(), curve)

    left = np.cross(planes.column, planes.row)
    aside, column = planes.origins_mm @ left, curve.points_mm @ left
    assert len(planes.hu) == MOST_PLANES
    assert planes.spacing_mm > 2
    assert aside[0] <= column.min() - 11.9
    assert aside[-1] >= column.max() + 11.9


def test_what_the_ct_does_not_hold_is_no_tissue():
    """Beyond the border there is the padding value, not air that could be measured."""
    z = np.linspace(149, 60, 20)
    planes = sagittal_planes(ramp(), SpineCurve.from_points(np.stack([0 * z, 0 * z, z], 1)))

    assert (planes.hu[:, 0] == OUTSIDE_HU).all()
