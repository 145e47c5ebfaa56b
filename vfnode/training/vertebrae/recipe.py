"""Training of the vertebra detector: `vfnode train vertebrae`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest
from vfnode.inference.detect_vertebrae import detect_in_image
from vfnode.inference.model_input import HIGH_HU, INPUTS, LOW_HU
from vfnode.networks.vertebra_detector import VertebraDetector
from vfnode.spine.vertebra import Vertebra
from vfnode.training.cards import vertebrae_card
from vfnode.training.figures import match, measurement_figures
from vfnode.training.run import Recipe, TrainingOptions
from vfnode.training.site_data import SYNTHETIC_ONLY, SiteData, command, facts
from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION
from vfnode.training.vertebrae.batches import Crop, DetectorBatch, detector_batch, random_crop
from vfnode.training.vertebrae.drawn_images import DrawnImages, drawn_images
from vfnode.training.vertebrae.loss import detector_loss
from vfnode.training.vertebrae.site_images import SiteImages

CROP = (256, 128)
_WHOLE = (336, 160)
#: Image (rows, columns), 1 mm, HU -> bodies found in it.
Detect = Callable[[np.ndarray], Sequence[Vertebra]]
_FEWEST = 3  #: matches below which no regression line is drawn


@dataclass(frozen=True)
class VertebraeSizes:
    """Numbers of images that are drawn and read."""

    images: int = 3000
    held_out_images: int = 100
    batch_size: int = 8


def vertebrae_recipe(
    options: TrainingOptions,
    sizes: VertebraeSizes | None = None,
    site: SiteData = SYNTHETIC_ONLY,
) -> Recipe:
    """The detector's; draws or opens its images."""
    sizes = sizes or VertebraeSizes()
    batches = _Batches(
        drawn_images(options.work, sizes.images, options.seed, options.workers),
        SiteImages.prepared(options.work, site) if site.cases else None,
        site.share,
        options.seed,
        options.batch or sizes.batch_size,
    )
    return Recipe(
        manifest=_manifest(options, sizes, site),
        network=_network,
        batches=batches,
        loss=detector_loss,
        held_out=partial(_held_out, options, sizes),
        card=vertebrae_card,
    )


@dataclass(frozen=True)
class _Batches:
    """Callable step -> batch; step and seed decide everything."""

    drawn: DrawnImages
    site: SiteImages | None
    share: float  #: of the site's images
    seed: int
    size: int

    def __call__(self, step: int) -> DetectorBatch:
        rng = np.random.default_rng([self.seed, 5, step])
        return detector_batch([self._crop(rng) for _ in range(self.size)])

    def _crop(self, rng: np.random.Generator) -> Crop:
        if self.site is not None and rng.random() < self.share:
            return self.site.random_crop(rng, CROP)
        return random_crop(rng, self.drawn, CROP)


def _network() -> nn.Module:
    network: nn.Module = VertebraDetector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _held_out(
    options: TrainingOptions, sizes: VertebraeSizes, loaded: LoadedModel
) -> dict[str, float]:
    held_out = drawn_images(
        options.work, sizes.held_out_images, options.seed + 8999, options.workers
    )
    return held_out_figures(
        lambda hu: detect_in_image(hu, 1.0, loaded.model), held_out, options.seed
    )


def held_out_figures(detect: Detect, cache: DrawnImages, seed: int) -> dict[str, float]:
    """Detection and measurement on degraded images that training never saw."""
    found_all, wanted_all, counts = [], [], np.zeros(3, int)  # matched, wanted, found
    for index in range(len(cache.hu)):
        crop = random_crop(np.random.default_rng([seed, 77, index]), cache, _WHOLE, index)
        bodies = detect(crop.hu)
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


def _manifest(options: TrainingOptions, sizes: VertebraeSizes, site: SiteData) -> ModelManifest:
    return ModelManifest(
        name="vertebrae",
        role="vertebrae",
        architecture="vertebra_detector",
        arguments={},
        spacing_mm=(1.0, 1.0),
        window_hu=(LOW_HU, HIGH_HU),
        normalisation=INPUTS["vertebrae"].normalisation,
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "images": sizes.images,
            "batch_size": options.batch or sizes.batch_size,
            "data": facts(site),
        },
        command=command("vertebrae", options, sizes.images, site),
    )
