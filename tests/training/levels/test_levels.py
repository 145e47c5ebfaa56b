"""Boxes and batches for the level labeller, and a short training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vfnode.inference.bundle import load_bundle
from vfnode.networks.level_labeller import CLASSES, LevelLabeller
from vfnode.spine.spine_box import VOXEL_MM
from vfnode.training.levels.batches import ROWS, LevelBatches, random_part
from vfnode.training.levels.boxes import FIRST_CLASS, LevelBox, cached_box
from vfnode.training.levels.loss import level_loss
from vfnode.training.levels.recipe import LevelsSizes, levels_recipe
from vfnode.training.run import TrainingOptions, train_bundle
from vfnode.training.spine.volumes import draw_volume

SEED = 4


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("levels")


@pytest.fixture(scope="module")
def box(work: Path) -> LevelBox:
    return cached_box(work, SEED)


def test_each_body_stands_at_its_own_row(box: LevelBox) -> None:
    """Two bodies that follow one another lie as far apart as they were drawn."""
    drawn = draw_volume(SEED)
    apart = np.linalg.norm(np.diff(drawn.centres_mm, axis=0), axis=1)
    shown = np.arange(np.ceil(box.position[box.seen][0]), box.position[box.seen][-1])
    inner = shown[(shown > FIRST_CLASS) & (shown < len(CLASSES) - 2)]
    rows = np.interp(inner, box.position, np.arange(len(box.hu)))

    assert len(inner) > 4
    first = int(inner[0]) - FIRST_CLASS
    assert np.diff(rows) * VOXEL_MM == pytest.approx(apart[first : first + len(inner) - 1], rel=0.1)


def test_rows_beyond_the_scan_are_not_asked_for(box: LevelBox) -> None:
    """Weight is zero wherever a crop shows air beyond what was scanned."""
    for turn in range(8):
        image, target, weight = random_part(box, np.random.default_rng(turn))

        assert image.shape == (ROWS, 32, 48)
        assert target.sum(0) == pytest.approx(np.ones(ROWS))
        assert 0 < weight.sum() <= ROWS
        shown = image.reshape(ROWS, -1).max(1) > 0.05
        assert shown[weight > 0].mean() > 0.95  # a row on the edge may be air


def test_a_cached_box_is_the_drawn_one(work: Path, box: LevelBox) -> None:
    """Read from disk as it was drawn."""
    again = cached_box(work, SEED)

    assert np.array_equal(again.hu, box.hu)
    assert np.array_equal(again.position, box.position)


def test_the_same_step_gives_the_same_batch(box: LevelBox) -> None:
    """A resumed training sees what an uninterrupted one would have seen."""
    source = LevelBatches(lambda _: box, 1, seed=3, batch_size=2)

    assert torch.equal(source(5).image, source(5).image)
    assert not torch.equal(source(5).image, source(6).image)


def test_the_loss_does_not_look_at_rows_beyond_the_scan(box: LevelBox) -> None:
    """What is asked of no one teaches nothing."""
    batch = LevelBatches(lambda _: box, 1, seed=3, batch_size=2)(0)
    model = LevelLabeller().eval()
    changed = torch.where(batch.weight[:, None] > 0, batch.target, 0.5)

    with torch.inference_mode():
        same = [
            float(level_loss(model, replace(batch, target=target))["level"])
            for target in (batch.target, changed)
        ]

    assert not torch.equal(changed, batch.target)
    assert same[0] == pytest.approx(same[1])


def test_training_writes_a_bundle_that_loads(tmp_path: Path) -> None:
    """Network, manifest and card in one folder."""
    options = TrainingOptions(0.02, tmp_path / "work", tmp_path / "models")

    folder = train_bundle(levels_recipe(options, LevelsSizes(1, 1, 1)), options)

    assert load_bundle(folder).manifest.held_out["spines"] == 1
    assert "Level labeller" in (folder / "CARD.md").read_text("utf-8")
