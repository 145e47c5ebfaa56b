"""Training of the second look on synthetic images: `vfnode train keypoints`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import ModelManifest, save_bundle
from vfnode.networks.keypoint_refiner import KEYPOINTS, KeypointRefiner, soft_argmax
from vfnode.training.cards import keypoints_card
from vfnode.training.column_cache import ColumnCache, column_cache
from vfnode.training.figures import measurement_figures
from vfnode.training.loop import LoopOptions, Progress, saved_progress, train
from vfnode.training.refiner_data import BodyCrop, RefinerBatch, random_body_crop, refiner_batch
from vfnode.training.refiner_loss import refiner_loss
from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION

_CHECK_BATCH = 100


@dataclass(frozen=True)
class KeypointsOptions:
    """One training run of the second look."""

    minutes: float  #: of training over all runs; drawing images comes on top
    work: Path  #: folder for drawn images and the checkpoint
    out: Path  #: folder of models; the bundle is `out`/keypoints
    seed: int = 1
    columns: int = 800
    held_out_columns: int = 40
    crops_per_held_out: int = 25
    batch_size: int = 32
    threads: int = 1

    @property
    def loop(self) -> LoopOptions:
        """Bound, schedule and checkpoint of the run."""
        return LoopOptions(self.work / "keypoints.pt", minutes=self.minutes, learning_rate=3e-3)


def train_keypoints(
    options: KeypointsOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Train, measure on held-out synthetic columns, write the bundle.

    Returns:
        Folder of the bundle.

    Raises:
        TrainingError: training diverged.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cache = column_cache(options.work, options.columns, options.seed)
    model = train(
        KeypointRefiner().to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        lambda step: _batch(cache, options, step),
        refiner_loss,
        options.loop,
        on_progress,
    )
    held_out = column_cache(options.work, options.held_out_columns, options.seed + 8999)
    figures = held_out_figures(model, held_out, options)
    return save_bundle(
        options.out / "keypoints",
        model,
        _manifest(options, figures),
        keypoints_card(figures, options.minutes, options.columns),
    )


def held_out_figures(
    model: nn.Module, cache: ColumnCache, options: KeypointsOptions
) -> dict[str, float]:
    """Errors on degraded crops of columns that training never saw, in mm."""
    crops = [
        random_body_crop(np.random.default_rng([options.seed, 78, index, turn]), cache, index)
        for index in range(cache.count)
        for turn in range(options.crops_per_held_out)
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


def _batch(cache: ColumnCache, options: KeypointsOptions, step: int) -> RefinerBatch:
    rng = np.random.default_rng([options.seed, 6, step])
    return refiner_batch([random_body_crop(rng, cache) for _ in range(options.batch_size)])


def _manifest(options: KeypointsOptions, figures: dict[str, float]) -> ModelManifest:
    return ModelManifest(
        name="keypoints",
        role="keypoints",
        architecture="keypoint_refiner",
        arguments={},
        spacing_mm=(),
        window_hu=(-200.0, 800.0),
        normalisation="clip to window, / 300 HU, - 0.5; 96 px over 2.05 antero-posterior depths",
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "steps": saved_progress(options.loop).step,
            "minutes": options.minutes,
            "columns": options.columns,
            "batch_size": options.batch_size,
            "data": "synthetic only",
        },
        command=f"vfnode train keypoints --minutes {options.minutes:g} --seed {options.seed}",
        held_out={name: round(value, 4) for name, value in figures.items()},
    )
