"""Straightening is exact in both directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spine.factories import kyphotic_curve
from vfnode.errors import GeometryError
from vfnode.spine.curve import SpineCurve
from vfnode.spine.straighten import StraightenedSagittal, straighten
from vfnode.spine.volume import CTVolume


def image_along(curve: SpineCurve) -> StraightenedSagittal:
    return StraightenedSagittal(
        np.zeros((len(curve.points_mm), 160), np.float32), 1.0, curve.frames()
    )


@settings(max_examples=40)
@given(
    radius_mm=st.floats(120, 5000),
    drift_mm=st.floats(-14, 14),
    x_mm=st.floats(50, 110),
    z_mm=st.floats(-5, 255),
)
def test_a_sagittal_point_comes_back_from_the_patient(radius_mm, drift_mm, x_mm, z_mm):
    """There and back within 0.01 mm, for any spine a person can have, also beyond its ends."""
    image = image_along(kyphotic_curve(radius_mm, drift_mm))
    there = image.to_patient(np.array([x_mm, z_mm]))

    assert image.to_sagittal(there) == pytest.approx([x_mm, z_mm], abs=0.01)


def test_the_curve_runs_down_the_middle_column():
    """A point of the curve maps to the middle of the image at its own arc length."""
    curve = kyphotic_curve(150, 10)
    image = image_along(curve)

    found = image.to_sagittal(curve.points_mm)

    assert found[:, 0] == pytest.approx(np.full(len(found), image.curve_x_mm), abs=1e-6)
    assert found[:, 1] == pytest.approx(np.arange(len(found)), abs=1e-6)


def test_the_image_shows_the_anatomy_where_the_inverse_says():
    """A bright ball in the volume appears at the pixel its centre maps to."""
    hu = np.full((200, 120, 120), -1000, np.int16)
    k, r, c = np.ogrid[:200, :120, :120]
    hu[(k - 90) ** 2 + (r - 70) ** 2 + (c - 60) ** 2 <= 25] = 1000
    affine = np.array([[0, 0, 1, -60], [0, 1, 0, -60], [-1, 0, 0, 100], [0, 0, 0, 1]], float)
    volume = CTVolume(hu, affine)
    points = np.array([[0, 0, 100], [0, 6, 40], [0, 8, 10], [0, 5, -30], [0, 0, -99]], float)

    image = straighten(volume, SpineCurve.from_points(points))

    bright = np.argwhere(image.hu > 500).mean(0)[::-1]
    expected = image.to_sagittal(volume.to_patient(np.array([90.0, 70.0, 60.0])))
    assert bright == pytest.approx(expected, abs=0.5)


def test_x_grows_towards_the_back_and_z_towards_the_feet():
    """The axes of the image are those of a lateral film seen from the patient's left."""
    image = image_along(kyphotic_curve(1000, 0))

    here, back, down = image.to_patient(np.array([[79.5, 100], [89.5, 100], [79.5, 110]]))

    assert back[1] - here[1] == pytest.approx(10, abs=0.2)
    assert here[2] - down[2] == pytest.approx(10, abs=0.2)


def test_an_image_without_a_frame_for_each_row_is_refused():
    """Rows and frames belong together."""
    with pytest.raises(GeometryError, match="one frame a row"):
        StraightenedSagittal(np.zeros((5, 8), np.float32), 1.0, np.zeros((4, 4, 4)))
