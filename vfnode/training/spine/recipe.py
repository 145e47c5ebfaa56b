"""Training of the spine localiser on synthetic volumes: `vfnode train spine`."""

import functools
from dataclasses import dataclass

import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest
from vfnode.networks.spine_localizer import SpineLocalizer
from vfnode.training.cards import spine_card
from vfnode.training.run import Recipe, TrainingOptions
from vfnode.training.site_data import SYNTHETIC_ONLY, command, facts
from vfnode.training.spine.batches import SpineBatches
from vfnode.training.spine.held_out import evaluate_spine
from vfnode.training.spine.loss import spine_loss
from vfnode.training.spine.volumes import cached_volume
from vfnode.training.synthetic.scene import GENERATOR_VERSION

SPACING_MM = (4.0, 2.0, 2.0)
WINDOW_HU = (-400.0, 800.0)
WIDTHS = (16, 32, 48, 64)  #: 0.45 million parameters, 1.8 MB


@dataclass(frozen=True)
class SpineSizes:
    """Numbers of volumes that are drawn and read."""

    volumes: int = 400  #: 12 MB each
    held_out: int = 24  #: synthetic CT measured at the end
    batch_size: int = 2


def spine_recipe(options: TrainingOptions, sizes: SpineSizes | None = None) -> Recipe:
    """The localiser's; volumes are drawn when they are first wanted, and kept."""
    sizes = sizes or SpineSizes()
    batches = SpineBatches(
        functools.partial(cached_volume, options.work / "spine-volumes"),
        sizes.volumes,
        WINDOW_HU,
        options.seed,
        options.batch or sizes.batch_size,
    )
    return Recipe(
        manifest=_manifest(options, sizes),
        network=_network,
        batches=batches,
        loss=spine_loss,
        held_out=functools.partial(_held_out, sizes.held_out),
        card=spine_card,
        warmup_steps=100,
    )


def _network() -> nn.Module:
    network = SpineLocalizer(WIDTHS)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def _held_out(count: int, loaded: LoadedModel) -> dict[str, float]:
    return evaluate_spine(loaded, count)


def _manifest(options: TrainingOptions, sizes: SpineSizes) -> ModelManifest:
    return ModelManifest(
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
            "volumes": sizes.volumes,
            "batch_size": options.batch or sizes.batch_size,
            "data": facts(SYNTHETIC_ONLY),
        },
        command=command("spine", options, sizes.volumes, SYNTHETIC_ONLY),
    )
