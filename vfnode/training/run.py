"""One training run, whatever the model: train, measure, write the bundle.

What differs between the models is a `Recipe`; everything else is here, once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vfnode.durable_files import write_whole
from vfnode.errors import TrainingError
from vfnode.inference.bundle import LoadedModel, ModelManifest, load_bundle, save_bundle
from vfnode.training.loop import (
    BatchSource,
    LoopOptions,
    LossFunction,
    Progress,
    saved_progress,
    train,
)
from vfnode.training.loss_log import LossLog

FINE_TUNING_RATE = 0.3  #: of the learning rate, where training starts from trained weights
FINE_TUNING_WARMUP_STEPS = 20  #: enough for the optimizer's averages: a short run reaches its rate


@dataclass(frozen=True)
class TrainingOptions:
    """One training run; the same options continue an interrupted one."""

    minutes: float  #: of training over all runs; drawing images comes on top
    work: Path  #: folder for drawn images, the checkpoint and the log of the losses
    out: Path  #: folder of models; the bundle is `out`/<role>
    seed: int = 1
    threads: int = 1
    device: str = "cpu"  #: cpu, cuda, or auto: CUDA where there is one
    workers: int = 0  #: processes that draw and make batches beside the training; 0: none
    start_from: Path | None = None  #: bundle whose weights training starts from
    batch: int | None = None  #: images of a step; None: the recipe's usual number
    blend: float = 1.0  #: share of the trained weights beside those that training starts from

    @property
    def torch_device(self) -> torch.device:
        """Device that the network is trained on."""
        wanted = self.device
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(wanted)


@dataclass(frozen=True)
class Recipe:
    """Parts in which the training of one model differs from that of another."""

    manifest: ModelManifest  #: what is known beforehand; steps, minutes and figures are added
    network: Callable[[], nn.Module]  #: called after the seed is set
    batches: BatchSource
    loss: LossFunction
    held_out: Callable[[LoadedModel], dict[str, float]]  #: figures on what training never saw
    card: Callable[[ModelManifest], str]
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 200

    def loop(self, options: TrainingOptions) -> LoopOptions:
        """Bound, schedule and checkpoint of the run."""
        share, warmup = 1.0, self.warmup_steps
        if options.start_from:
            share, warmup = FINE_TUNING_RATE, min(warmup, FINE_TUNING_WARMUP_STEPS)
        return LoopOptions(
            options.work / f"{self.manifest.role}.pt",
            minutes=options.minutes,
            learning_rate=share * self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_steps=warmup,
            workers=options.workers,
        )


def train_bundle(
    recipe: Recipe,
    options: TrainingOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Train, measure on what was held out, write the bundle.

    Returns:
        Folder of the bundle.

    Raises:
        TrainingError: training diverged, or the work folder holds another training.
        ModelError: the weights to start from are missing, damaged or of another network.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = _network(recipe, options).to(options.torch_device)
    options.work.mkdir(parents=True, exist_ok=True)
    _claim(options.work / f"{recipe.manifest.role}.json", _identity(recipe, options))
    log = LossLog(options.work / f"{recipe.manifest.role}.csv")

    def told(progress: Progress) -> None:
        log.add(progress)
        on_progress(progress)

    loop = recipe.loop(options)
    trained = train(network, recipe.batches, recipe.loss, loop, told).cpu()
    if options.start_from is not None:
        blend_into(trained, load_bundle(options.start_from).model, options.blend)
    manifest = _with_facts(recipe.manifest, options, saved_progress(loop))
    figures = recipe.held_out(LoadedModel(trained, manifest))
    rounded = {name: round(float(value), 4) for name, value in figures.items()}
    complete = replace(manifest, held_out=rounded)
    folder = options.out / manifest.role
    return save_bundle(folder, trained, complete, recipe.card(complete))


def _network(recipe: Recipe, options: TrainingOptions) -> nn.Module:
    """The untrained network, or the one to start from."""
    network = recipe.network()
    if options.start_from is None:
        return network
    start = load_bundle(options.start_from)
    wanted = recipe.manifest.architecture
    if start.manifest.architecture != wanted:
        raise TrainingError(
            f"{options.start_from} holds a {start.manifest.architecture}, wanted is a {wanted}"
        )
    network.load_state_dict(start.model.state_dict())
    return network


@torch.no_grad()
def blend_into(trained: nn.Module, start: nn.Module, share: float) -> None:
    """Draw trained weights back towards those that they started from.

    A few patients teach what they show and unteach what they do not: the mean of both weights
    keeps more of each than either.

    Args:
        trained: changed in place.
        start: of the same architecture.
        share: of the trained weights, 0 to 1.
    """
    for new, old in zip(trained.state_dict().values(), start.state_dict().values(), strict=True):
        if new.is_floating_point():
            new.lerp_(old.to(new.dtype), 1.0 - share)


def _with_facts(
    manifest: ModelManifest, options: TrainingOptions, reached: Progress
) -> ModelManifest:
    """The manifest with how far the run went and what it started from."""
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    beside = f", {options.workers} processes beside it" if options.workers else ""
    facts: dict[str, Any] = {
        "steps": reached.step,
        "minutes": round(reached.elapsed_minutes, 1),
        "device": f"{options.torch_device.type}, {threads}{beside}",
    }
    if options.start_from is not None:
        start = load_bundle(options.start_from).manifest
        facts["started from"] = {"name": start.name, "sha256": start.sha256}
        facts["blend"] = options.blend
    return replace(manifest, training={**facts, **manifest.training})


def _identity(recipe: Recipe, options: TrainingOptions) -> dict[str, Any]:
    """Facts that must be the same in every run that goes on from one checkpoint."""
    start = None if options.start_from is None else load_bundle(options.start_from).manifest.sha256
    return {
        "seed": options.seed,
        "started from": start,
        "architecture": recipe.manifest.architecture,
        "training": dict(recipe.manifest.training),
    }


def _claim(path: Path, identity: dict[str, Any]) -> None:
    """Note whose checkpoint lies in the work folder, or see that it is this run's.

    Raises:
        TrainingError: it is another's.
    """
    text = json.dumps(identity, indent=1, sort_keys=True)
    if not path.exists():
        write_whole(path, text.encode("utf-8"))
        return
    if path.read_text("utf-8") != text:
        raise TrainingError(
            f"{path.parent} holds a {path.stem} training with other options ({path.name});"
            " give another --work folder, or delete its files"
        )
