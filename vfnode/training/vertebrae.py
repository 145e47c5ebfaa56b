"""Training of the vertebra detector on synthetic images: `vfnode train vertebrae`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import ModelManifest, save_bundle
from vfnode.inference.detect_vertebrae import detect_in_image
from vfnode.networks.vertebra_detector import VertebraDetector
from vfnode.training.cards import vertebrae_card
from vfnode.training.detector_data import DetectorBatch, detector_batch, random_crop
from vfnode.training.detector_loss import detector_loss
from vfnode.training.figures import match, measurement_figures
from vfnode.training.loop import LoopOptions, Progress, saved_progress, train
from vfnode.training.sagittal_cache import SagittalCache, sagittal_cache
from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION

CROP = (256, 128)
_WHOLE = (336, 160)
_FEWEST = 3  #: matches below which no regression line is drawn


@dataclass(frozen=True)
class VertebraeOptions:
    """One training run of the detector."""

    minutes: float  #: of training over all runs; drawing images comes on top
    work: Path  #: folder for drawn images and the checkpoint
    out: Path  #: folder of models; the bundle is `out`/vertebrae
    seed: int = 1
    images: int = 3000
    held_out_images: int = 100
    batch_size: int = 8
    threads: int = 1

    @property
    def loop(self) -> LoopOptions:
        """Bound, schedule and checkpoint of the run."""
        return LoopOptions(self.work / "vertebrae.pt", minutes=self.minutes)


def train_vertebrae(
    options: VertebraeOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Train, measure on held-out synthetic images, write the bundle.

    Returns:
        Folder of the bundle.

    Raises:
        TrainingError: training diverged.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cache = sagittal_cache(options.work, options.images, options.seed)
    model = train(
        VertebraDetector().to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        lambda step: _batch(cache, options, step),
        detector_loss,
        options.loop,
        on_progress,
    )
    held_out = sagittal_cache(options.work, options.held_out_images, options.seed + 8999)
    figures = held_out_figures(model, held_out, options.seed)
    return save_bundle(
        options.out / "vertebrae",
        model,
        _manifest(options, figures),
        vertebrae_card(figures, options.minutes, options.images),
    )


def held_out_figures(model: nn.Module, cache: SagittalCache, seed: int) -> dict[str, float]:
    """Detection and measurement on degraded images that training never saw."""
    found_all, wanted_all, counts = [], [], np.zeros(3, int)  # matched, wanted, found
    for index in range(len(cache.hu)):
        crop = random_crop(np.random.default_rng([seed, 77, index]), cache, _WHOLE, index)
        bodies = detect_in_image(crop.hu, 1.0, model)
        found = np.array([body.keypoints for body in bodies]).reshape(-1, 3, 2, 2)
        whole = _inside(crop.keypoints_px, crop.seen)
        pairs = match(found.mean((1, 2)), crop.keypoints_px.mean((1, 2)))
        hits = [(i, j) for i, j in pairs if whole[j] and j > 0]
        false = len(found) - len(pairs)
        counts += [len(hits), int(whole[1:].sum()), len(hits) + false]
        found_all += [found[i] for i, _ in hits]
        wanted_all += [crop.keypoints_px[j] for _, j in hits]
    rates = {"recall": counts[0] / counts[1], "precision": counts[0] / max(1, counts[2])}
    if len(found_all) < _FEWEST:
        return {"vertebrae": float(counts[1]), **rates}
    figures = measurement_figures(np.array(found_all), np.array(wanted_all))
    return {"vertebrae": float(counts[1]), **rates, **figures}


def _inside(keypoints_px: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Bodies (n,) whose six points all lie in the field of view."""
    points = np.round(keypoints_px).astype(int)
    limits = np.array(seen.shape[::-1]) - 1
    within = np.all((points >= 0) & (points <= limits), -1)
    column, row = np.moveaxis(np.clip(points, 0, limits), -1, 0)
    return np.asarray((within & seen[row, column]).all((1, 2)))


def _batch(cache: SagittalCache, options: VertebraeOptions, step: int) -> DetectorBatch:
    rng = np.random.default_rng([options.seed, 5, step])
    return detector_batch([random_crop(rng, cache, CROP) for _ in range(options.batch_size)])


def _manifest(options: VertebraeOptions, figures: dict[str, float]) -> ModelManifest:
    return ModelManifest(
        name="vertebrae",
        role="vertebrae",
        architecture="vertebra_detector",
        arguments={},
        spacing_mm=(1.0, 1.0),
        window_hu=(-200.0, 800.0),
        normalisation="clip to window, / 300 HU, - 0.5",
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "steps": saved_progress(options.loop).step,
            "minutes": options.minutes,
            "images": options.images,
            "batch_size": options.batch_size,
            "data": "synthetic only",
        },
        command=f"vfnode train vertebrae --minutes {options.minutes:g} --seed {options.seed}",
        held_out={name: round(value, 4) for name, value in figures.items()},
    )
