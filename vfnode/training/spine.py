"""Trains the spine localiser on synthetic volumes and writes its bundle."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest, models_dir, save_bundle
from vfnode.networks.spine_localizer import SpineLocalizer
from vfnode.training.loop import LoopOptions, Progress, saved_progress, train
from vfnode.training.spine_batches import SpineBatches
from vfnode.training.spine_held_out import evaluate_spine, spine_card
from vfnode.training.spine_loss import spine_loss
from vfnode.training.spine_volumes import cached_volume, fill_cache
from vfnode.training.synthetic.scene import GENERATOR_VERSION

SPACING_MM = (4.0, 2.0, 2.0)
WINDOW_HU = (-400.0, 800.0)
WIDTHS = (16, 32, 48, 64)  #: 0.45 million parameters, 1.8 MB


@dataclass(frozen=True)
class SpineTrainingOptions:
    """One training of stage 1; the same options continue an interrupted one."""

    cache: Path  #: folder for drawn volumes, 12 MB each
    checkpoint: Path  #: state of the run, saved every minute
    models: Path | None = None  #: where the bundle goes; None: `models_dir()`
    minutes: float | None = None
    steps: int | None = None
    volumes: int = 400
    held_out: int = 24  #: synthetic CT measured at the end
    seed: int = 1
    learning_rate: float = 2.5e-3
    batch_size: int = 4
    threads: int = 1

    @property
    def command(self) -> str:
        """The command line that repeats this training."""
        bounds = (("minutes", self.minutes), ("steps", self.steps))
        said = " ".join(f"--{name} {value:g}" for name, value in bounds if value is not None)
        return f"vfnode train spine {said} --seed {self.seed}"


def train_spine(
    options: SpineTrainingOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_drawn: Callable[[int], None] = lambda _: None,
) -> Path:
    """Draw what the cache lacks, train, measure on held-out CT, write the bundle `spine`.

    Args:
        options: what to train, and for how long.
        on_progress: called after every step.
        on_drawn: called with the number of each volume that is ready.

    Returns:
        The bundle's folder.

    Raises:
        TrainingError: no bound was given, or training diverged.
    """
    torch.set_num_threads(options.threads)
    fill_cache(options.cache, range(options.volumes), on_drawn)
    torch.manual_seed(options.seed)
    model = SpineLocalizer(WIDTHS)
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    batches = SpineBatches(
        functools.partial(cached_volume, options.cache),
        options.volumes,
        WINDOW_HU,
        options.seed,
        options.batch_size,
    )
    loop = LoopOptions(
        options.checkpoint,
        steps=options.steps,
        minutes=options.minutes,
        learning_rate=options.learning_rate,
    )
    trained = train(model, batches, spine_loss, loop, on_progress)
    return export_spine(options, trained, saved_progress(loop))


def export_spine(options: SpineTrainingOptions, trained: nn.Module, reached: Progress) -> Path:
    """Measure `trained` on held-out CT and write its bundle; returns the folder."""
    manifest = ModelManifest(
        name="spine",
        role="spine",
        architecture="spine_localizer",
        arguments={"widths": WIDTHS},
        spacing_mm=SPACING_MM,
        window_hu=WINDOW_HU,
        normalisation="window",
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "steps": reached.step,
            "minutes": round(reached.elapsed_minutes, 1),
            "volumes": options.volumes,
            "batch size": options.batch_size,
            "learning rate": options.learning_rate,
            "data": "synthetic only",
        },
        command=options.command,
    )
    figures = evaluate_spine(LoadedModel(trained.eval(), manifest), options.held_out)
    complete = replace(manifest, held_out=figures)
    folder = (options.models or models_dir()) / "spine"
    return save_bundle(folder, trained, complete, spine_card(complete))
