"""Where slices lie: order, gaps, jitter, patient positions, source planes, a tilted gantry."""

import random

import numpy as np
import pydicom
import pytest

from tests.dicom.phantoms import (
    BODIES_Z_MM,
    PLANES,
    POSITIONS,
    acquire,
    body_heights_mm,
    noise_volume,
    stored_as,
)
from tests.dicom.tools import edit, refusal
from tests.factories import make_ct_folder, make_series, make_volume
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume


@pytest.mark.parametrize("stored", [*POSITIONS, *PLANES])
def test_any_patient_position_and_plane_gives_the_same_volume(tmp_path, stored):
    """Head or feet first, supine, prone, on a side, axial, coronal, sagittal: not a voxel moves."""
    volume = noise_volume()

    series = make_series(tmp_path, stored_as(volume, *{**POSITIONS, **PLANES}[stored]))

    canonical = series.volume.canonical()
    np.testing.assert_array_equal(canonical.hu, volume.hu)
    np.testing.assert_allclose(canonical.affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("plane", PLANES)
def test_a_finding_on_a_reformatted_series_names_the_image_that_it_is_on(tmp_path, plane):
    """The slices of the series, not those of the volume that the networks see."""
    series = make_series(tmp_path, stored_as(noise_volume(), *PLANES[plane]))

    for instance in series.instances[::7]:
        header = pydicom.dcmread(instance.path)
        assert series.instance_at(np.array(header.ImagePositionPatient, float)) == instance


def test_pixels_need_not_be_square(tmp_path):
    """PixelSpacing is the distance of rows, then of columns."""
    series = make_series(tmp_path, make_volume((30, 40, 60), (2.0, 1.5, 0.9)))

    np.testing.assert_allclose(series.volume.spacing_mm, [2.0, 1.5, 0.9], atol=1e-6)


@pytest.mark.parametrize("matrix", [256, 512, 768, 1024])
def test_any_matrix_is_read(tmp_path, matrix):
    """From old archives to high-resolution lungs."""
    volume = make_volume((8, matrix, matrix), (5.0, 360 / matrix, 360 / matrix))

    series = make_series(tmp_path, volume)

    np.testing.assert_array_equal(series.volume.hu, volume.hu)


def test_overlapping_slices_are_as_far_apart_as_they_are(tmp_path):
    """SliceThickness says how much is averaged, not where the next slice lies."""
    series = make_series(tmp_path, make_volume(spacing_mm=(1.25, 1.5, 1.5)), slice_thickness_mm=5.0)

    assert series.volume.spacing_mm[0] == pytest.approx(1.25)


@pytest.fixture(scope="module")
def untilted(tmp_path_factory):
    return make_series(tmp_path_factory.mktemp("untilted"), acquire()).volume


@pytest.mark.parametrize("tilt_deg", [-25, -10, 5, 15, 30])
def test_heights_behind_a_tilted_gantry_are_those_of_the_untilted_phantom(
    tmp_path, untilted, tilt_deg
):
    """Within 0.3 mm, normal and compressed bodies alike; and both are true."""
    tilted = make_series(tmp_path / "tilted", acquire(tilt_deg)).volume

    true_mm = np.array([[top - bottom] * 3 for top, bottom in BODIES_Z_MM])
    np.testing.assert_allclose(body_heights_mm(tilted), body_heights_mm(untilted), atol=0.3)
    np.testing.assert_allclose(body_heights_mm(untilted), true_mm, atol=0.3)


def test_slices_are_ordered_by_position_and_nothing_else(tmp_path):
    """File names and InstanceNumber may follow anything."""
    paths = make_ct_folder(tmp_path)
    numbers = list(range(1, len(paths) + 1))
    random.Random(1).shuffle(numbers)
    for path, number in zip(paths, numbers, strict=True):
        edit(path, InstanceNumber=number)
        path.rename(tmp_path / f"{number}.dcm")

    series = read_ct_series([tmp_path])[0]

    np.testing.assert_array_equal(series.volume.hu, make_volume().hu)
    positions = [
        float(pydicom.dcmread(instance.path).ImagePositionPatient[2])
        for instance in series.instances
    ]
    np.testing.assert_allclose(np.diff(positions), -2.5, atol=1e-6)


def test_a_missing_slice_is_a_gap_where_it_is_missing(tmp_path):
    """Everything else is measured; the hole is bridged for the networks and no image."""
    paths = make_ct_folder(tmp_path)
    paths[20].unlink()

    series = read_ct_series([tmp_path])[0]

    assert np.flatnonzero(~series.volume.is_image).tolist() == [20]
    np.testing.assert_array_equal(
        np.delete(series.volume.hu, 20, 0), np.delete(make_volume().hu, 20, 0)
    )
    np.testing.assert_allclose(series.volume.affine, make_volume().affine, atol=1e-6)
    assert series.notes == (Reason.SLICE_GAP,)


def test_rounded_positions_are_not_a_gap(tmp_path):
    """Positions rounded to a tenth of a millimetre are jitter."""
    paths = make_ct_folder(tmp_path, make_volume(spacing_mm=(1.25, 1.5, 1.5)))
    for path in paths:
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, y, round(float(z), 1)])

    series = read_ct_series([tmp_path])[0]

    assert series.volume.spacing_mm[0] == pytest.approx(1.25, abs=1e-3)


def test_too_few_slices_are_refused_with_a_reason(tmp_path):
    """Five slices cannot hold a vertebra."""
    make_ct_folder(tmp_path, make_volume((5, 16, 16)))

    assert refusal(tmp_path).code == Reason.TOO_FEW_SLICES.code


def test_a_tilted_gantry_keeps_every_point_where_it_was(tmp_path):
    """The tilt is carried as shear: a height measured through the affine stays true."""
    volume = make_volume((40, 32, 24), (2.5, 1.5, 1.5))
    tilt = np.deg2rad(20)
    affine = volume.affine.copy()
    # The gantry leans about the left-right axis; the table still moves along z.
    affine[:3, 1] = 1.5 * np.array([0, np.cos(tilt), -np.sin(tilt)])

    series = make_series(tmp_path, CTVolume(volume.hu, affine))

    np.testing.assert_allclose(series.volume.affine, affine, atol=1e-5)
    ends = series.volume.to_patient(np.array([[4.0, 10, 10], [12.0, 10, 10]]))
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(20.0, abs=0.01)
