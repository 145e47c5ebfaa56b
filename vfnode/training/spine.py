"""Trains the spine localiser on synthetic volumes and writes its bundle."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest, save_bundle
from vfnode.networks.spine_localizer import SpineLocalizer
from vfnode.training.loop import LoopOptions, Progress, saved_progress, train
from vfnode.training.spine_batches import SpineBatches
from vfnode.training.spine_held_out import evaluate_spine, spine_card
from vfnode.training.spine_loss import spine_loss
from vfnode.training.spine_volumes import cached_volume
from vfnode.training.synthetic.scene import GENERATOR_VERSION

SPACING_MM = (4.0, 2.0, 2.0)
WINDOW_HU = (-400.0, 800.0)
WIDTHS = (16, 32, 48, 64)  #: 0.45 million parameters, 1.8 MB


@dataclass(frozen=True)
class SpineOptions:
    """One training of stage 1; the same options continue an interrupted one."""

    minutes: float  #: over all runs; drawing volumes counts
    work: Path  #: folder for drawn volumes (12 MB each) and the checkpoint
    out: Path  #: folder of models; the bundle is `out`/spine
    seed: int = 1
    volumes: int = 400
    held_out: int = 24  #: synthetic CT measured at the end
    learning_rate: float = 2e-3
    batch_size: int = 2
    threads: int = 1

    @property
    def loop(self) -> LoopOptions:
        """Bound, schedule and checkpoint of the run."""
        return LoopOptions(
            self.work / "spine.pt",
            minutes=self.minutes,
            learning_rate=self.learning_rate,
            warmup_steps=100,
        )


def train_spine(
    options: SpineOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Train, measure on held-out CT, write the bundle `spine`.

    Volumes are drawn when they are first wanted, and kept for later steps and runs.

    Returns:
        The bundle's folder.

    Raises:
        TrainingError: training diverged.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model = SpineLocalizer(WIDTHS)
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    batches = SpineBatches(
        functools.partial(cached_volume, options.work / "spine-volumes"),
        options.volumes,
        WINDOW_HU,
        options.seed,
        options.batch_size,
    )
    trained = train(model, batches, spine_loss, options.loop, on_progress)
    return export_spine(options, trained, saved_progress(options.loop))


def export_spine(options: SpineOptions, trained: nn.Module, reached: Progress) -> Path:
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
        command=f"vfnode train spine --minutes {options.minutes:g} --seed {options.seed}",
    )
    figures = evaluate_spine(LoadedModel(trained.eval(), manifest), options.held_out)
    complete = replace(manifest, held_out=figures)
    return save_bundle(options.out / "spine", trained, complete, spine_card(complete))
