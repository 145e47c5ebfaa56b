"""Natural sagittal images of whole columns on disk, for crops of single bodies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION, draw_natural

STEP_MM = 0.5


@dataclass(frozen=True)
class DrawnColumn:
    """One column's image and truth."""

    hu: np.ndarray  #: (rows, columns) int16
    labels: np.ndarray  #: (rows, columns) int16: 1 + index of the body
    keypoints_mm: np.ndarray  #: (levels, 3, 2, 2) from the centre of pixel (0, 0)


@dataclass(frozen=True)
class ColumnCache:
    """Folder of drawn columns."""

    folder: Path
    count: int

    def read(self, index: int) -> DrawnColumn:
        """Column `index`; pixels stay on disk until they are used."""
        image = np.load(self.folder / f"{index:05d}.npy", mmap_mode="r")
        return DrawnColumn(image[0], image[1], np.load(self.folder / f"{index:05d}-keypoints.npy"))


def column_cache(
    folder: Path, count: int, seed: int, on_image: Callable[[int], None] = lambda _: None
) -> ColumnCache:
    """Open the cache in `folder`, drawing what it lacks; safe to interrupt and repeat."""
    home = folder / f"columns-{GENERATOR_VERSION}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        final = home / f"{index:05d}.npy"
        if final.exists():
            continue
        sample = draw_natural(np.random.default_rng([seed, index]), STEP_MM)
        hu = np.clip(sample.hu, -1024, 3071).round().astype(np.int16)
        np.save(home / f"{index:05d}-keypoints.npy", sample.keypoints_mm)
        partial = home / f"{index:05d}.partial.npy"
        np.save(partial, np.stack([hu, sample.labels.astype(np.int16)]))
        partial.replace(final)
        on_image(index)
    return ColumnCache(home, count)
