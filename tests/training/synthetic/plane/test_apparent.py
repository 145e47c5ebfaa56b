"""Readers mark where a blurred endplate seems to end."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from vfnode.training.synthetic.plane.apparent import apparent_keypoints

STEP_MM = 0.1


def body_image(plate_mm: float, plate_hu: float, marrow_hu: float, blur_mm: float) -> np.ndarray:
    """A 20 mm tall body from z = 20 to 40 mm in a disc of 80 HU, 40 mm wide."""
    z = (np.arange(600) + 0.0) * STEP_MM
    column = np.full(600, 80.0)
    column[(z >= 20) & (z < 40)] = plate_hu
    column[(z >= 20 + plate_mm) & (z < 40 - plate_mm)] = marrow_hu
    column = gaussian_filter1d(column, blur_mm / STEP_MM)
    return np.repeat(column[:, None], 400, 1)


KEYPOINTS = np.array([[[[x, 20.0], [x, 40.0]] for x in (8.0, 20.0, 32.0)]]) - STEP_MM / 2


def test_a_thin_blurred_plate_seems_to_end_in_the_disc():
    """A line of 0.8 mm under a Gaussian of 1 mm: half maximum 1.18 mm from its middle."""
    image = body_image(0.8, 900, 80, 1.0)

    shown = apparent_keypoints(image, KEYPOINTS, 0, STEP_MM)

    assert shown[1, 0, 1] == pytest.approx(20 + 0.4 - 1.2, abs=0.15)
    assert shown[1, 1, 1] == pytest.approx(40 - 0.4 + 1.2, abs=0.15)


def test_a_body_as_dense_as_its_plate_keeps_its_edge():
    image = body_image(0.8, 500, 500, 1.0)

    shown = apparent_keypoints(image, KEYPOINTS, 0, STEP_MM)

    np.testing.assert_allclose(shown[1], KEYPOINTS[0, 1], atol=0.15)


def test_corners_are_marked_on_the_same_edge_as_the_middle():
    """A wedge would be taught where thick slices move the middle alone."""
    image = body_image(0.8, 900, 80, 1.5)

    shown = apparent_keypoints(image, KEYPOINTS, 0, STEP_MM)

    np.testing.assert_allclose(shown[[0, 2], :, 1], shown[[1, 1], :, 1], atol=0.01)
    np.testing.assert_array_equal(shown[..., 0], KEYPOINTS[0, ..., 0])


def test_what_lies_beyond_a_corner_has_no_say():
    """Bone in front of the wall, as a bridge, moves no corner."""
    image = body_image(0.8, 900, 80, 1.0)
    bridged = image.copy()
    bridged[:, : round(7.5 / STEP_MM)] = 600

    shown, plain = (apparent_keypoints(one, KEYPOINTS, 0, STEP_MM) for one in (bridged, image))

    np.testing.assert_array_equal(shown, plain)


def test_without_an_edge_nothing_moves():
    shown = apparent_keypoints(np.full((600, 400), 80.0), KEYPOINTS, 0, STEP_MM)

    np.testing.assert_array_equal(shown, KEYPOINTS[0])
