"""Volumes and batches for the spine localiser."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vfnode.networks.spine_localizer import SpineLocalizer, SpineMaps
from vfnode.training.spine.batches import SpineBatch, SpineBatches
from vfnode.training.spine.loss import spine_loss
from vfnode.training.spine.volumes import SpineVolume, cached_volume

GRID_MM = 2.0


@pytest.fixture(scope="module")
def volume() -> SpineVolume:
    """A bright rod of 6 mm radius that leans to the left, in soft tissue."""
    k, r, c = np.ogrid[:150, :110, :120]
    column = 50 + 0.1 * k
    rod = (r - 60) ** 2 + (c - column) ** 2 < 3**2
    hu = np.where(rod, 600, 0).astype(np.int16)
    heights = np.arange(0, 150, 0.5)
    x, y, z = GRID_MM * (50 + 0.1 * heights), np.full(300, 60 * GRID_MM), -GRID_MM * heights
    return SpineVolume(hu, np.zeros(3), np.stack([x, y, z], 1), np.zeros((23, 3)))


def batches(volume: SpineVolume) -> SpineBatches:
    return SpineBatches(lambda _: volume, 1, (-400.0, 800.0), seed=2)


def test_targets_lie_on_what_was_drawn(volume: SpineVolume) -> None:
    """Through rotation, scaling and mirroring, the target stays on the bright rod."""
    source = batches(volume)
    inside, outside = [], []
    for step in range(4):
        batch = source(step)
        for b, k in torch.nonzero(batch.present).tolist():
            row, column = (2 * batch.target[b, k]).round().int().tolist()
            inside.append(float(batch.image[b, 0, k, row, column]))
            outside.append(float(batch.image[b, 0, k].mean()))

    assert len(inside) > 100
    assert np.median(np.array(inside) - np.array(outside)) > 0.3


def test_a_step_always_gives_the_same_batch(volume: SpineVolume) -> None:
    """A resumed run sees what an uninterrupted one would have seen."""
    first, again = batches(volume)(7), batches(volume)(7)

    assert torch.equal(first.image, again.image)
    assert torch.equal(first.target, again.target)


def test_a_drawn_volume_is_read_back_from_the_cache(tmp_path: Path) -> None:
    """The cache holds what was drawn, and is not drawn twice."""
    drawn = cached_volume(tmp_path, 12)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    read = cached_volume(tmp_path, 12)

    assert np.array_equal(drawn.hu, read.hu)
    assert np.array_equal(drawn.curve_mm, read.curve_mm)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


class _Answer(torch.nn.Module):
    """Answers a batch with given logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, _: torch.Tensor) -> SpineMaps:
        return SpineMaps(self.logits, self.logits.amax((2, 3)))


def test_the_loss_is_least_for_a_sharp_peak_at_the_target() -> None:
    """A peak at the target costs less than one aside, and presence follows the peak."""
    batch = SpineBatch(
        torch.zeros(1, 1, 1, 20, 20),
        torch.tensor([[[4.0, 6.0]]]),
        torch.ones(1, 1),
        torch.ones(1, 1),
    )
    right = torch.full((1, 1, 10, 10), -9.0)
    aside = right.clone()
    right[0, 0, 4, 6] = 5.0
    aside[0, 0, 7, 6] = 5.0

    good, bad = spine_loss(_Answer(right), batch), spine_loss(_Answer(aside), batch)

    assert float(good["place_cm"]) == pytest.approx(0.0, abs=0.01)
    assert float(bad["place_cm"]) == pytest.approx(1.2, abs=0.01)  # three pixels of 4 mm
    assert float(good["shape"]) < float(bad["shape"])
    assert float(good["presence"]) < 0.01


def test_the_network_answers_at_half_the_in_plane_resolution() -> None:
    """Any input size is accepted; the heat-map has every second pixel."""
    maps = SpineLocalizer((4, 8)).eval()(torch.zeros(1, 1, 7, 21, 30))

    assert maps.logits.shape == (1, 7, 11, 15)
    assert maps.slice_logits.shape == (1, 7)
