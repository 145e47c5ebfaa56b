"""Natural sagittal images of whole columns on disk, for crops of single bodies."""

import io
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vfnode.durable_files import write_together
from vfnode.training.parallel import in_order
from vfnode.training.synthetic.plane.sagittal import GENERATOR_VERSION, draw_natural

STEP_MM = 0.5


@dataclass(frozen=True)
class DrawnColumn:
    """One column's image and truth."""

    hu: np.ndarray  #: (rows, columns) int16
    labels: np.ndarray  #: (rows, columns) int16: 1 + index of the body
    keypoints_mm: np.ndarray  #: (levels, 3, 2, 2) from the centre of pixel (0, 0)


@dataclass(frozen=True)
class DrawnColumns:
    """Folder of drawn columns."""

    folder: Path
    count: int

    def read(self, index: int) -> DrawnColumn:
        """Column `index`; pixels stay on disk until they are used."""
        image = np.load(_path(self.folder, index), mmap_mode="r")
        return DrawnColumn(image[0], image[1], np.load(self.folder / f"{index:05d}-keypoints.npy"))


def drawn_columns(folder: Path, count: int, seed: int, workers: int = 0) -> DrawnColumns:
    """Open the cache in `folder`, drawing what it lacks; safe to interrupt and repeat."""
    home = folder / f"columns-{GENERATOR_VERSION}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(count) if not _path(home, index).exists()]
    for _ in in_order(partial(_draw, home, seed), missing, workers):
        pass
    return DrawnColumns(home, count)


def _draw(home: Path, seed: int, index: int) -> None:
    """Draw a column into its file; the file appears when it is whole."""
    sample = draw_natural(np.random.default_rng([seed, index]), STEP_MM)
    hu = np.clip(sample.hu, -1024, 3071).round().astype(np.int16)
    image = np.stack([hu, sample.labels.astype(np.int16)])
    keypoints_name = f"{index:05d}-keypoints.npy"
    files = {keypoints_name: _npy(sample.keypoints_mm), _path(home, index).name: _npy(image)}
    write_together(home, files)


def _npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _path(home: Path, index: int) -> Path:
    return home / f"{index:05d}.npy"
