"""The synthetic chest CT."""

import numpy as np
import pytest

from vfnode.training.synthetic.anatomy import LEVELS
from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.chest_ct import SyntheticCT, synthesize_chest_ct
from vfnode.training.synthetic.column3d import sample_spine
from vfnode.training.synthetic.vertebra3d import paint_spine
from vfnode.training.synthetic.voxel_canvas import Canvas

WANTED = {"T8": ("wedge", 0.70), "T12": ("crush", 0.55), "L1": ("biconcave", 0.66)}


@pytest.fixture(scope="module")
def chest() -> SyntheticCT:
    return synthesize_chest_ct(3, spacing_mm=(2.0, 1.5, 1.5), deformities=WANTED)


def test_the_same_seed_gives_the_same_voxels(chest: SyntheticCT) -> None:
    """Every voxel is decided by the arguments."""
    again = synthesize_chest_ct(3, spacing_mm=(2.0, 1.5, 1.5), deformities=WANTED)

    assert np.array_equal(chest.volume.hu, again.volume.hu)
    assert np.array_equal(chest.volume.affine, again.volume.affine)


def test_another_seed_gives_another_patient(chest: SyntheticCT) -> None:
    """Seeds differ in anatomy, not in noise alone."""
    other = synthesize_chest_ct(4, spacing_mm=(6.0, 4.0, 4.0), levels=("T6", "T8"))

    assert other.truth[0].height_ratio != pytest.approx(chest.truth[6].height_ratio, abs=1e-6)


def test_it_covers_the_levels_that_were_asked_for(chest: SyntheticCT) -> None:
    """C7 to L1 lie wholly in the volume, in order."""
    levels = [vertebra.level for vertebra in chest.truth]

    assert levels[levels.index("C7") : levels.index("L1") + 1] == [
        "C7",
        *(f"T{n}" for n in range(1, 13)),
        "L1",
    ]


def test_deformed_vertebrae_have_the_height_ratio_that_was_asked_for(chest: SyntheticCT) -> None:
    """The truth's heights, measured between its keypoints, give the requested ratio."""
    found = {v.level: (v.deformity, v.height_ratio) for v in chest.truth}

    for level, (kind, ratio) in WANTED.items():
        assert found[level][0] == kind
        assert found[level][1] == pytest.approx(ratio, abs=1e-6)
    assert sum(kind != "none" for kind, _ in found.values()) == len(WANTED)


@pytest.mark.parametrize("level", ["T5", "T12", "L3"])
def test_keypoints_lie_on_the_drawn_endplates(level: str) -> None:
    """On a fine grid, cortical bone begins within 0.3 mm of both middle keypoints."""
    spine = sample_spine(np.random.default_rng(8), natural=True)
    look = BoneLook(trabecular_hu=150, cortex_hu=1000, cortex_mm=1.5, disc_hu=80, texture_hu=0)
    centre = spine.centre(level)
    canvas = Canvas.covering(centre - 25, centre + 25, (0.4, 0.4, 0.4))
    paint_spine(canvas, spine, look, np.random.default_rng(1))
    middle = spine.vertebrae[LEVELS.index(level)].truth.keypoints_patient_mm[1]
    inward = (middle[::-1] - middle) / np.linalg.norm(middle[1] - middle[0])
    across = np.arange(-1.2, 1.2, 0.05)

    for point, direction in zip(middle, inward, strict=True):
        profile = canvas.to_volume().sample(point + across[:, None] * direction)
        edge = across[np.argmax(profile > 540)]
        assert edge == pytest.approx(0.0, abs=0.3)


def test_densities_are_those_of_a_patient_in_air(chest: SyntheticCT) -> None:
    """Air around, lung, fat, soft tissue and cortical bone are all there."""
    hu = chest.volume.hu

    assert hu[:, 0, 0].mean() == pytest.approx(-1000, abs=15)
    shares = [np.mean((hu > low) & (hu < high)) for low, high in ((-930, -650), (-130, -60))]
    assert min(shares) > 0.03
    assert np.mean((hu > 0) & (hu < 100)) > 0.1
    assert np.percentile(hu, 99.9) > 400


def test_slices_run_from_cranial_to_caudal(chest: SyntheticCT) -> None:
    """The volume is in the canonical orientation."""
    assert chest.volume.affine[2, 0] < 0
    assert chest.volume.affine[1, 1] > 0
    assert chest.volume.affine[0, 2] > 0
    assert np.allclose(chest.volume.spacing_mm, (2.0, 1.5, 1.5))
