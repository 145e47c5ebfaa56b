"""The spine as it stands in the patient: a thick sagittal slab that follows it sideways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.dicom.picture.layout import layout
from vfnode.spine.curve import SpineCurve
from vfnode.spine.resample import FloatImage
from vfnode.spine.volume import CTVolume, FloatArray


@dataclass(frozen=True)
class SagittalProjection:
    """Mean HU over a slab; rows towards the feet, columns towards the back."""

    hu: FloatImage  #: (N, W)
    step_mm: float
    anterior_mm: float  #: patient y of the centre of column 0
    cranial_mm: float  #: patient z of the centre of row 0

    def to_image(self, points_mm: FloatArray) -> FloatArray:
        """Patient points (..., 3), LPS mm -> (x, z) on the image, mm, shape (..., 2)."""
        points = np.asarray(points_mm, float)
        return np.stack([points[..., 1] - self.anterior_mm, self.cranial_mm - points[..., 2]], -1)


def project_sagittal(volume: CTVolume, spine: SpineCurve) -> SagittalProjection | None:
    """Project the slab whose middle follows ``spine`` from left to right.

    Lengths along the picture are those of the patient's sagittal plane: what leans to a side
    comes out shorter than it is. Measures: ``projection`` of dicom_templates/picture.json.

    Returns:
        None where the spine lies outside the volume.
    """
    chosen = layout()["projection"]
    step = chosen["step_mm"]
    low, high = _extent_mm(volume)
    margin = chosen["margin_mm"]
    y, z = spine.points_mm[:, 1], spine.points_mm[:, 2]
    anterior = max(y.min() - margin["anterior"], low[1])
    posterior = min(y.max() + margin["posterior"], high[1])
    cranial = min(z.max() + margin["ends"], high[2])
    caudal = max(z.min() - margin["ends"], low[2])
    columns = np.arange(anterior, posterior, step)
    rows = np.arange(cranial, caudal, -step)
    if min(len(rows), len(columns)) < 2:  # noqa: PLR2004 - no image
        return None
    order = np.argsort(z)
    middle = np.interp(rows, z[order], spine.points_mm[order, 0])
    grid = np.empty((len(rows), len(columns), 3))
    grid[..., 1], grid[..., 2] = columns[None, :], rows[:, None]
    half = chosen["slab_mm"] / 2
    offsets = np.arange(-half, half + 1e-6, chosen["layer_mm"])
    total = np.zeros(grid.shape[:2], np.float32)
    for offset in offsets:
        grid[..., 0] = (middle + offset)[:, None]
        total += volume.sample(grid)
    mean = (total / len(offsets)).astype(np.float32)
    return SagittalProjection(mean, step, float(anterior), float(cranial))


def _extent_mm(volume: CTVolume) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest patient coordinates of the volume's corners, each (3,)."""
    last = np.array(volume.hu.shape) - 1
    corners = volume.to_patient(np.stack(np.meshgrid(*zip([0, 0, 0], last, strict=True)), -1))
    return corners.min((0, 1, 2)), corners.max((0, 1, 2))
