"""Training of the second look: `vfnode train keypoints`."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest
from vfnode.inference.model_input import HIGH_HU, INPUTS, LOW_HU
from vfnode.networks.keypoint_refiner import KEYPOINTS, KeypointRefiner, soft_argmax
from vfnode.training.cards import keypoints_card
from vfnode.training.figures import measurement_figures
from vfnode.training.keypoints.batches import (
    BodyCrop,
    RefinerBatch,
    random_body_crop,
    refiner_batch,
)
from vfnode.training.keypoints.drawn_columns import DrawnColumns, drawn_columns
from vfnode.training.keypoints.loss import refiner_loss
from vfnode.training.keypoints.site_bodies import SiteBodies
from vfnode.training.run import Recipe, TrainingOptions
from vfnode.training.site_data import SYNTHETIC_ONLY, SiteData, command, facts
from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION

_CHECK_BATCH = 100


@dataclass(frozen=True)
class KeypointsSizes:
    """Numbers of columns that are drawn and read."""

    columns: int = 2400
    held_out_columns: int = 40
    crops_per_held_out: int = 25
    batch_size: int = 64


def keypoints_recipe(
    options: TrainingOptions,
    sizes: KeypointsSizes | None = None,
    site: SiteData = SYNTHETIC_ONLY,
) -> Recipe:
    """The second look's; draws or opens its columns."""
    sizes = sizes or KeypointsSizes()
    batches = _Batches(
        drawn_columns(options.work, sizes.columns, options.seed, options.workers),
        SiteBodies.prepared(options.work, site) if site.cases else None,
        site.share,
        options.seed,
        options.batch or sizes.batch_size,
    )
    return Recipe(
        manifest=_manifest(options, sizes, site),
        network=_network,
        batches=batches,
        loss=refiner_loss,
        held_out=partial(_held_out, options, sizes),
        card=keypoints_card,
        learning_rate=3e-3,
    )


@dataclass(frozen=True)
class _Batches:
    """Callable step -> batch; step and seed decide everything."""

    drawn: DrawnColumns
    site: SiteBodies | None
    share: float  #: of the site's bodies
    seed: int
    size: int

    def __call__(self, step: int) -> RefinerBatch:
        rng = np.random.default_rng([self.seed, 6, step])
        return refiner_batch([self._crop(rng) for _ in range(self.size)])

    def _crop(self, rng: np.random.Generator) -> BodyCrop:
        if self.site is not None and rng.random() < self.share:
            return self.site.random_crop(rng)
        return random_body_crop(rng, self.drawn)


def _network() -> nn.Module:
    network: nn.Module = KeypointRefiner().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _held_out(
    options: TrainingOptions, sizes: KeypointsSizes, loaded: LoadedModel
) -> dict[str, float]:
    held_out = drawn_columns(
        options.work, sizes.held_out_columns, options.seed + 8999, options.workers
    )
    return held_out_figures(loaded.model, held_out, options.seed, sizes.crops_per_held_out)


def held_out_figures(
    model: nn.Module, cache: DrawnColumns, seed: int, crops_per_column: int
) -> dict[str, float]:
    """Errors on degraded crops of columns that training never saw, in mm."""
    crops = [
        random_body_crop(np.random.default_rng([seed, 78, index, turn]), cache, index)
        for index in range(cache.count)
        for turn in range(crops_per_column)
    ]
    found, scores = _look(model, crops)
    bodies = np.array([crop.is_body for crop in crops])
    scale = np.array([crop.pixel_mm for crop in crops])[:, None, None, None]
    wanted = np.array([crop.points_px for crop in crops]) * scale
    whole = bodies & np.array(
        [bool(np.all((c.points_px > 0) & (c.points_px < c.hu.shape[0] - 1))) for c in crops]
    )
    figures = measurement_figures((found * scale)[whole], wanted[whole])
    channel = np.linalg.norm(found * scale - wanted, axis=-1)[whole].mean(0).ravel()
    return {
        "bodies": float(whole.sum()),
        **figures,
        "worst_channel_mm": float(channel.max()),
        "objectness_sensitivity": float((scores[bodies] > 0.5).mean()),
        "objectness_specificity": float((scores[~bodies] <= 0.5).mean()),
    }


def _look(model: nn.Module, crops: list[BodyCrop]) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3, 2, 2) in pixels and probability (n,) of a body."""
    points, scores = [], []
    with torch.inference_mode():
        for start in range(0, len(crops), _CHECK_BATCH):
            batch = refiner_batch(crops[start : start + _CHECK_BATCH])
            maps, logit = model(batch.image)
            points.append(soft_argmax(maps[:, :KEYPOINTS])[0].reshape(-1, 3, 2, 2).numpy())
            scores.append(logit.sigmoid().numpy())
    return np.concatenate(points), np.concatenate(scores)


def _manifest(options: TrainingOptions, sizes: KeypointsSizes, site: SiteData) -> ModelManifest:
    return ModelManifest(
        name="keypoints",
        role="keypoints",
        architecture="keypoint_refiner",
        arguments={},
        spacing_mm=(),
        window_hu=(LOW_HU, HIGH_HU),
        normalisation=INPUTS["keypoints"].normalisation,
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "columns": sizes.columns,
            "batch_size": options.batch or sizes.batch_size,
            "data": facts(site),
        },
        command=command("keypoints", options, sizes.columns, site),
    )
