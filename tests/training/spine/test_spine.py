"""Training the spine localiser."""

from pathlib import Path

from vfnode.inference.bundle import load_bundle
from vfnode.training.run import TrainingOptions, train_bundle
from vfnode.training.spine.recipe import SpineSizes, spine_recipe


def test_a_short_training_writes_a_bundle_that_loads(tmp_path: Path) -> None:
    """A few steps give weights, a manifest with the command, and a card that says synthetic."""
    options = TrainingOptions(0.02, tmp_path / "work", tmp_path)
    recipe = spine_recipe(options, SpineSizes(volumes=1, held_out=0))
    steps: list[int] = []

    folder = train_bundle(recipe, options, lambda progress: steps.append(progress.step))

    loaded = load_bundle(folder)
    assert steps[0] == 1
    assert loaded.manifest.role == "spine"
    assert loaded.manifest.command == "vfnode train spine --minutes 0.02 --seed 1 --images 1"
    assert loaded.manifest.training["steps"] == steps[-1]
    assert "synthetic images only" in (folder / "CARD.md").read_text()
