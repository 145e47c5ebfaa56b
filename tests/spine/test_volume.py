"""A volume knows where its voxels lie, however it is stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfnode.errors import GeometryError
from vfnode.spine.resample import resample, resampled_affine, window
from vfnode.spine.volume import CTVolume


def axial_affine(spacing_mm=(2.0, 1.0, 0.5)) -> np.ndarray:
    k, r, c = spacing_mm
    return np.array([[0, 0, c, -30], [0, r, 0, -40], [-k, 0, 0, 50], [0, 0, 0, 1]], float)


def ramp_volume(shape=(12, 20, 24), affine=None) -> CTVolume:
    """HU is a linear function of the patient position, so any sample is known by hand."""
    matrix = axial_affine() if affine is None else affine
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    points = index @ matrix[:3, :3].T + matrix[:3, 3]
    return CTVolume(np.round(points @ [4.0, 8.0, 12.0]).astype(np.int16), matrix)


@settings(max_examples=48)
@given(order=st.permutations([0, 1, 2]), flips=st.tuples(*[st.booleans()] * 3))
def test_any_storage_order_becomes_the_same_canonical_volume(order, flips):
    """Head first or feet first, sagittal or axial: the anatomy is the same afterwards."""
    canonical = ramp_volume()
    hu, affine = canonical.hu.transpose(order), canonical.affine.copy()
    affine[:, :3] = canonical.affine[:, order]
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            affine[:3, axis] *= -1
            hu = np.flip(hu, axis)

    again = CTVolume(hu, affine).canonical()

    assert np.array_equal(again.hu, canonical.hu)
    assert again.affine == pytest.approx(canonical.affine)


def test_a_sample_lies_where_the_affine_says():
    """Trilinear sampling of a linear function is that function, also on sheared grids."""
    sheared = axial_affine()
    sheared[1, 0] = 0.3  # gantry tilt: each slice a little further back
    volume = ramp_volume(affine=sheared)
    points = volume.to_patient(np.array([[3.25, 7.5, 11.75], [5.0, 2.0, 20.5]]))

    assert volume.sample(points) == pytest.approx(points @ [4.0, 8.0, 12.0], abs=0.6)


def test_outside_the_volume_is_air():
    """Zero would be water, and look like tissue."""
    volume = ramp_volume()

    assert volume.sample(np.array([[500.0, 0.0, 0.0]])) == pytest.approx([-1000.0])
    assert not volume.contains(np.array([500.0, 0.0, 0.0]))


def test_resampling_keeps_positions_and_values():
    """The value at a resampled voxel is the value of the patient at that place."""
    volume = ramp_volume((40, 60, 60))
    target = (4.0, 2.0, 2.0)

    image = resample(volume.hu, volume.spacing_mm, target)
    affine = resampled_affine(volume, target)

    assert image.shape == (20, 30, 15)
    inner = np.array([5.0, 10.0, 7.0])
    expected = (affine[:3, :3] @ inner + affine[:3, 3]) @ [4.0, 8.0, 12.0]
    assert image[5, 10, 7] == pytest.approx(expected, abs=1.0)


def test_resampling_to_a_coarser_grid_does_not_alias():
    """Stripes finer than the new grid vanish into their mean."""
    stripes = np.zeros((8, 8, 128), np.int16)
    stripes[..., ::2] = 1000

    image = resample(stripes, (1, 1, 1), (1, 1, 4))

    assert image[:, :, 2:-2] == pytest.approx(np.full((8, 8, 28), 500), abs=1)


def test_the_window_maps_its_limits_to_zero_and_one():
    """Values beyond the limits are clipped."""
    assert window(np.array([-300, -200, 300, 800, 3000]), -200, 800).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("hu", "affine", "message"),
    [
        (np.zeros((4, 4), np.int16), np.eye(4), "three axes"),
        (np.zeros((4, 4, 4), np.int16), np.zeros((4, 4)), "singular"),
        (np.zeros((4, 4, 4), np.int16), np.full((4, 4), np.nan), "finite"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(hu, affine, message):
    """What is wrong is said where the volume is made."""
    with pytest.raises(GeometryError, match=message):
        CTVolume(hu, affine)
