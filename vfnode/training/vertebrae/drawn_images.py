"""Straightened synthetic images on disk: drawn once, degraded anew at every reading."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vfnode.durable_files import write_whole
from vfnode.training.parallel import in_order
from vfnode.training.synthetic.anatomy import LEVELS
from vfnode.training.synthetic.plane.sagittal import (
    GENERATOR_VERSION,
    SagittalSample,
    draw_straightened,
)

IMAGE_SHAPE = (336, 160)  #: rows, columns; 1 mm
_HU, _LABELS, _KEYPOINTS, _DONE = "hu.npy", "labels.npy", "keypoints.npy", "done.txt"


@dataclass(frozen=True)
class DrawnImages:
    """Memory-mapped images with their truth."""

    hu: np.ndarray  #: (n, rows, columns) int16
    labels: np.ndarray  #: (n, rows, columns) uint8, 1 + index of the body
    keypoints_px: np.ndarray  #: (n, levels, 3, 2, 2) ant/mid/post x sup/inf x (x, z)


def drawn_images(folder: Path, count: int, seed: int, workers: int = 0) -> DrawnImages:
    """Open the cache in `folder`, drawing what it lacks; safe to interrupt and repeat."""
    home = folder / f"sagittal-{GENERATOR_VERSION}-{seed}-{count}"
    home.mkdir(parents=True, exist_ok=True)
    done = home / _DONE
    drawn = int(done.read_text()) if done.exists() else 0
    mode = "r+" if (home / _HU).exists() else "w+"
    shapes = {
        _HU: (np.int16, (count, *IMAGE_SHAPE)),
        _LABELS: (np.uint8, (count, *IMAGE_SHAPE)),
        _KEYPOINTS: (np.float32, (count, len(LEVELS), 3, 2, 2)),
    }
    hu, labels, keypoints = (
        np.lib.format.open_memmap(home / name, mode, dtype, shape)
        for name, (dtype, shape) in shapes.items()
    )
    samples = in_order(partial(_draw, seed), range(drawn, count), workers)
    for index, sample in enumerate(samples, drawn):
        hu[index] = np.clip(sample.hu, -1024, 3071).round()
        labels[index], keypoints[index] = sample.labels, sample.keypoints_mm / sample.step_mm
        for array in (hu, labels, keypoints):
            array.flush()
        write_whole(done, str(index + 1).encode("ascii"))
    return DrawnImages(hu, labels, keypoints)


def _draw(seed: int, index: int) -> SagittalSample:
    return draw_straightened(np.random.default_rng([seed, index]), IMAGE_SHAPE)
