"""Semi-real deformities: known size, real texture, neighbours that close up as they are."""

import numpy as np
import pytest

from tests.evaluation.factories import box
from tests.evaluation.warp_phantom import BONE_HU, DISC_HU, KEYPOINTS, SHELL_HU, phantom
from vfnode.errors import GeometryError
from vfnode.evaluation.warp import KINDS, Deformation, warp_of
from vfnode.evaluation.warp_volume import warped
from vfnode.spine.genant import height_ratio
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume, FloatArray


def deform(
    volume: CTVolume, keypoints_mm: FloatArray, index: int, deformation: Deformation
) -> tuple[CTVolume, FloatArray]:
    """One body deformed: the CT, and all keypoints in it."""
    warp = warp_of(keypoints_mm, index, deformation)
    return warped(volume, [warp]), warp.forward(keypoints_mm)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [0.45, 0.7, 0.9])
@pytest.mark.parametrize("superior_share", [0.0, 0.5, 1.0])
def test_the_pushed_points_have_the_ratio_that_was_asked_for(kind, ratio, superior_share):
    """The truth of a semi-real case is exact, not estimated."""
    deformation = Deformation(kind, ratio, superior_share)

    _, moved = deform(phantom(), KEYPOINTS, 1, deformation)

    assert height_ratio(heights_mm(moved[1])) == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(("kind", "lowest"), [("wedge", 0), ("biconcave", 1), ("crush", 2)])
def test_each_kind_lowers_its_own_part(kind, lowest):
    """A wedge the front, a biconcave body the middle, a crush the back and the rest less."""
    _, moved = deform(phantom(), KEYPOINTS, 1, Deformation(kind, 0.6))

    assert heights_mm(moved[1]).argmin() == lowest


def test_the_endplate_lies_where_its_points_were_pushed():
    """Bright endplate at each pushed point, bone below, disc above: as before the warp."""
    volume, moved = deform(phantom(), KEYPOINTS, 1, Deformation("wedge", 0.5, 1.0))

    superior = moved[1, :2, 0]
    below, above = np.array([0, 0, 4.0]), np.array([0, 0, -3.0])
    assert superior[0, 2] == pytest.approx(0.0, abs=0.01)
    assert (volume.sample(superior) > 0.7 * SHELL_HU).all()
    assert volume.sample(superior - below) == pytest.approx(BONE_HU, abs=60)
    assert volume.sample(superior - above) == pytest.approx(DISC_HU, abs=60)


def test_neighbours_and_all_else_stay_untouched_where_discs_widen():
    """What was not to be deformed keeps its points and every voxel."""
    before = phantom()

    volume, moved = deform(before, KEYPOINTS, 1, Deformation("crush", 0.6, closing=0.0))

    assert np.array_equal(moved[[0, 2]], KEYPOINTS[[0, 2]])
    z_mm = 45.0 - np.arange(91)
    assert np.array_equal(volume.hu[np.abs(z_mm) > 15], before.hu[np.abs(z_mm) > 15])
    assert not np.array_equal(volume.hu, before.hu)


@pytest.mark.parametrize("kind", ["wedge", "crush"])
def test_neighbours_close_up_as_they_are(kind):
    """What a body loses brings its neighbours nearer, and leaves their heights."""
    volume, moved = deform(phantom(), KEYPOINTS, 1, Deformation(kind, 0.6, 1.0, closing=1.0))

    assert heights_mm(moved[[0, 2]]) == pytest.approx(heights_mm(KEYPOINTS[[0, 2]]), abs=1e-6)
    lost = heights_mm(KEYPOINTS[1]) - heights_mm(moved[1])
    # One neighbour above: the disc below it and the one above it widen by half of the loss each.
    assert KEYPOINTS[0, :, 1, 2] - moved[0, :, 1, 2] == pytest.approx(lost / 2, abs=1e-6)
    assert (volume.sample(moved[0, :2, 1]) > 0.7 * SHELL_HU).all()


def test_the_dent_of_a_biconcave_body_moves_no_neighbour():
    """A disc fills it: closing is asked for in vain."""
    _, moved = deform(phantom(), KEYPOINTS, 1, Deformation("biconcave", 0.6, closing=1.0))

    assert np.array_equal(moved[[0, 2]], KEYPOINTS[[0, 2]])


def test_two_warps_are_one_interpolation():
    """Deforming two bodies moves the points through both, one after the other."""
    first = warp_of(KEYPOINTS, 0, Deformation("crush", 0.7, closing=1.0))
    then = warp_of(first.forward(KEYPOINTS), 2, Deformation("wedge", 0.6, closing=0.8))
    moved = then.forward(first.forward(KEYPOINTS))

    volume = warped(phantom(), [first, then])

    # The wedge tilts what lies above it, which changes heights by a little; the points know.
    assert height_ratio(heights_mm(moved[0])) == pytest.approx(0.7, abs=0.03)
    assert height_ratio(heights_mm(moved[2])) == pytest.approx(0.6, abs=1e-3)
    assert (volume.sample(moved[[0, 2], 1, 0]) > 0.6 * SHELL_HU).all()


def test_the_way_back_is_exact():
    """Tissue comes from where its points went."""
    warp = warp_of(KEYPOINTS, 1, Deformation("wedge", 0.5, closing=0.7))

    assert warp.backward(warp.forward(KEYPOINTS)) == pytest.approx(KEYPOINTS, abs=1e-6)


def test_a_lower_endplate_alone_leaves_the_upper_one():
    """One endplate may break and the other not."""
    _, moved = deform(phantom(), KEYPOINTS, 1, Deformation("biconcave", 0.6, 0.0))

    assert np.allclose(moved[1, :, 0], KEYPOINTS[1, :, 0])
    assert moved[1, 1, 1, 2] == pytest.approx(-2.0, abs=0.02)  # 20 mm x 0.6 below +10


def test_a_body_that_is_already_lower_is_refused():
    """A warp never makes a body higher."""
    low = KEYPOINTS.copy()
    low[1] = box(0.0, (10.0, 20.0, 20.0))

    with pytest.raises(GeometryError, match="cannot become"):
        deform(phantom(), low, 1, Deformation("wedge", 0.8))


def test_an_unknown_deformation_is_refused():
    """A wrong word is an error, not a biconcave body."""
    with pytest.raises(GeometryError):
        Deformation("pancake", 0.5)
