"""Which endplates can be read."""

import numpy as np
import pytest

from tests.evaluation.warp_phantom import DISC_HU, KEYPOINTS, SHELL_HU, phantom
from vfnode.evaluation.datasets.semi_real import choose
from vfnode.evaluation.readable import disc_contrast_hu
from vfnode.spine.volume import CTVolume


def test_contrast_is_endplate_over_disc():
    """800 HU of plate beside 80 HU of disc; both endplates are alike."""
    assert disc_contrast_hu(phantom(), KEYPOINTS, 1) == pytest.approx([SHELL_HU - DISC_HU] * 2)


def test_bodies_beside_discs_as_dense_as_bone_are_not_chosen():
    """Nobody could read what became of them."""
    volume = phantom()
    fused = CTVolume(np.where(volume.hu > 0, 300, 0).astype(np.int16), volume.affine)
    rng = np.random.default_rng(0)

    drawn = {i for _ in range(20) for i in choose(volume, KEYPOINTS, rng)}
    of_fused = {i for _ in range(20) for i in choose(fused, KEYPOINTS, rng)}

    assert drawn == {0, 1, 2}
    assert of_fused == set()


def test_neighbours_are_never_deformed_together():
    """Their warps would overlap, and a body that was left alone shows the bias."""
    rng = np.random.default_rng(0)

    for _ in range(20):
        assert not {0, 1} <= set(choose(phantom(), KEYPOINTS, rng))
