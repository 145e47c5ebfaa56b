"""Targets of the detector, and a whole training run in small."""

import numpy as np
import pytest
import torch

from tests.training.factories import crop_with
from vfnode.inference.bundle import load_bundle
from vfnode.inference.detect_vertebrae import OFFSET_MM
from vfnode.training.keypoints.recipe import KeypointsSizes, keypoints_recipe
from vfnode.training.run import TrainingOptions, train_bundle
from vfnode.training.vertebrae.batches import detector_batch, random_crop
from vfnode.training.vertebrae.drawn_images import drawn_images
from vfnode.training.vertebrae.loss import detector_loss
from vfnode.training.vertebrae.recipe import VertebraeSizes, vertebrae_recipe


class Perfect(torch.nn.Module):
    """Answers with the targets themselves."""

    def __init__(self, batch) -> None:
        super().__init__()
        self.batch = batch

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        logit = (self.batch.positive * 40 - 20)[:, None]
        body = (self.batch.body * 40 - 20)[:, None]
        return torch.cat([logit, self.batch.offsets, body], 1)


def test_pixels_within_five_millimetres_of_a_centre_are_positive():
    batch = detector_batch([crop_with([(200.0, 200.0), (32.5, 32.5)])])

    assert batch.positive[0].sum() * 4 == pytest.approx(np.pi * 25, rel=0.15)
    assert batch.positive[0, 16, 16] == 1


def test_offsets_lead_from_the_cell_to_the_keypoints():
    batch = detector_batch([crop_with([(200.0, 200.0), (32.5, 32.5)])])

    offsets = batch.offsets[0, :, 16, 16].reshape(3, 2, 2) * OFFSET_MM

    assert offsets[0, 0].tolist() == pytest.approx([-10, -8])  # cell 16 lies at 32.5 px
    assert offsets[2, 1].tolist() == pytest.approx([10, 8])


def test_the_axis_is_neither_asked_for_nor_forbidden():
    """C2 is not measured, and finding it is no mistake."""
    batch = detector_batch([crop_with([(32.5, 32.5), (200.0, 200.0)])])

    assert batch.positive.sum() == 0
    assert batch.counted[0, 16, 16] == 0


def test_perfect_answers_cost_next_to_nothing():
    batch = detector_batch([crop_with([(200.0, 200.0), (32.5, 32.5)])])

    terms = detector_loss(Perfect(batch), batch)

    assert sum(float(term) for term in terms.values()) < 1e-4


def test_the_same_seed_reads_the_same_crop(tmp_path):
    cache = drawn_images(tmp_path, 2, 5)

    first, again = (random_crop(np.random.default_rng(3), cache, (96, 96)) for _ in range(2))

    np.testing.assert_array_equal(first.hu, again.hu)
    np.testing.assert_array_equal(first.keypoints_px, again.keypoints_px)


def test_a_short_run_writes_a_bundle_that_loads(tmp_path):
    options = TrainingOptions(0.01, tmp_path, tmp_path)
    recipe = vertebrae_recipe(options, VertebraeSizes(images=2, held_out_images=1))

    loaded = load_bundle(train_bundle(recipe, options))

    assert loaded.manifest.role == "vertebrae"
    assert loaded.manifest.training["data"] == "synthetic only"


def test_a_short_run_of_the_second_look_writes_a_bundle_that_loads(tmp_path):
    options = TrainingOptions(0.01, tmp_path, tmp_path)
    sizes = KeypointsSizes(columns=1, held_out_columns=1, crops_per_held_out=8, batch_size=4)

    loaded = load_bundle(train_bundle(keypoints_recipe(options, sizes), options))

    assert loaded.manifest.role == "keypoints"
    assert loaded.manifest.held_out["bodies"] > 0
