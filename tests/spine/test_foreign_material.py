"""Metal and cement: said of the bodies that hold them and of no others."""

import numpy as np
import pytest

from vfnode.spine.curve import SpineCurve
from vfnode.spine.foreign_material import foreign_material, metal_along
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume

SPACING_MM = (1.0, 0.8, 0.8)
CENTRES_MM = (-25.0, -50.0, -75.0)  #: of three bodies, patient z


def bodies() -> np.ndarray:
    """Keypoints (3, 3, 2, 3) of three bodies 28 mm deep and 20 mm high around x = y = 0."""
    y = np.array([-14.0, 0.0, 14.0])[:, None]
    points = np.zeros((3, 3, 2, 3))
    for i, z in enumerate(CENTRES_MM):
        points[i, ..., 1] = y
        points[i, ..., 2] = np.array([z + 10.0, z - 10.0])
    return points


def ct(*shapes: tuple[tuple[float, float, float], tuple[float, float, float], int]) -> CTVolume:
    """Soft tissue with bodies of spongy bone in a dense shell, and boxes (centre, size, HU)."""
    count = np.array([100, 110, 110])
    k, r, c = (np.arange(n) * step for n, step in zip(count, SPACING_MM, strict=True))
    z, y, x = -k[:, None, None], (r - 44.0)[None, :, None], (c - 44.0)[None, None, :]
    hu = np.full(count, 40, np.int16)

    def box(centre, size):
        within = [
            np.abs(axis - middle) <= extent / 2
            for axis, middle, extent in zip((x, y, z), centre, size, strict=True)
        ]
        return within[0] & within[1] & within[2]

    for level in CENTRES_MM:
        hu[box((0, 0, level), (40, 28, 20))] = 1400
        hu[box((0, 0, level), (36, 24, 16))] = 200
    for centre, size, value in shapes:
        hu[box(centre, size)] = value
    affine = np.array(
        [[0, 0, 0.8, -44], [0, 0.8, 0, -44], [-1.0, 0, 0, 0], [0, 0, 0, 1]], np.float64
    )
    return CTVolume(hu, affine)


SCREW = ((12.0, 10.0, -50.0), (6.0, 40.0, 6.0), 3071)


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ([], [None, None, None]),
        ([SCREW], [None, Reason.METAL, None]),
        # a plate that touches the front of the last body
        ([((0.0, -16.5, -75.0), (20.0, 3.0, 15.0), 3000)], [None, None, Reason.METAL]),
        # a rod behind the bodies, 10 mm away from them
        ([((0.0, 27.0, -50.0), (6.0, 6.0, 90.0), 3071)], [None, None, None]),
        # a surgical clip or a grain of noise inside a body
        ([((0.0, 0.0, -50.0), (2.0, 2.0, 2.0), 3071)], [None, None, None]),
        # cement, as much as a vertebroplasty leaves
        ([((0.0, 0.0, -25.0), (14.0, 12.0, 10.0), 1700)], [Reason.CEMENT, None, None]),
        # a bone island: as dense, and smaller
        ([((0.0, 0.0, -25.0), (6.0, 6.0, 6.0), 1700)], [None, None, None]),
        # sclerosis: large, and not as dense
        ([((0.0, 0.0, -25.0), (20.0, 16.0, 10.0), 1000)], [None, None, None]),
        ([SCREW, ((0.0, 0.0, -75.0), (14.0, 12.0, 10.0), 1700)],
         [None, Reason.METAL, Reason.CEMENT]),
    ],
)  # fmt: skip
def test_only_bodies_that_hold_or_touch_foreign_material_are_named(shapes, found):
    """The dense shell of a body is bone and not cement."""
    assert list(foreign_material(ct(*shapes), bodies())) == found


def test_a_screw_is_found_however_the_volume_lies():
    """Axes of the volume need not be those of the body."""
    volume = ct(SCREW)
    turned = CTVolume(volume.hu.transpose(2, 0, 1), volume.affine[:, [2, 0, 1, 3]].copy())

    assert list(foreign_material(turned, bodies())) == [None, Reason.METAL, None]


def test_a_body_outside_the_volume_or_flattened_holds_nothing():
    """No voxel, no answer but None."""
    flat = bodies()
    flat[..., 2] = flat[..., 2].mean(-1, keepdims=True) + np.array([1.0, -1.0])

    assert list(foreign_material(ct(), bodies() + 500.0)) == [None, None, None]
    assert list(foreign_material(ct(), flat)) == [None, None, None]


def test_rods_beside_the_spine_are_seen_without_any_body():
    """Where streaks hide every body, the reason is metal; a clip is none."""
    curve = SpineCurve.from_points(np.array([[0.0, 0.0, -5.0], [0.0, 0.0, -95.0]]), 1.0)
    rod = ((12.0, 25.0, -50.0), (6.0, 6.0, 90.0), 3071)

    assert metal_along(ct(rod), curve)
    assert not metal_along(ct(((12.0, 25.0, -50.0), (4.0, 4.0, 4.0), 3071)), curve)
    assert not metal_along(ct(((40.0, -40.0, -50.0), (6.0, 6.0, 90.0), 3071)), curve)
