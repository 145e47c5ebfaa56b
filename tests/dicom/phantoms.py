"""Synthetic phantoms: bodies of known heights as a scanner sees them, and how they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfnode.spine.volume import CTVolume, FloatArray

BONE_HU, DISC_HU = 300.0, 60.0
#: Upper and lower endplate of each body, patient z in mm; the last two are compressed.
BODIES_Z_MM = ((80.0, 61.0), (56.0, 36.5), (31.0, 10.5), (5.0, -8.0), (-13.0, -29.0))
HALF_DEPTH_MM, HALF_WIDTH_MM = 15.0, 18.0
MIDWAY_HU = (BONE_HU + DISC_HU) / 2
EDGE_MM = 0.6  #: over which an endplate fades, as the kernel of a scanner blurs it
#: Patient positions (PS3.3 C.7.3.1.1.2) as a scanner that does not turn its images writes them:
#: direction of the rows, and of the columns, in LPS.
POSITIONS = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDR": ((0, -1, 0), (1, 0, 0)),
    "HFDL": ((0, 1, 0), (-1, 0, 0)),
    "FFDR": ((0, 1, 0), (1, 0, 0)),
    "FFDL": ((0, -1, 0), (-1, 0, 0)),
}
PLANES = {"coronal": ((1, 0, 0), (0, 0, -1)), "sagittal": ((0, 1, 0), (0, 0, -1))}


def column_hu(points_mm: FloatArray) -> FloatArray:
    """HU of the phantom at patient points (..., 3)."""
    x, y, z = np.moveaxis(points_mm, -1, 0)
    bone = sum(_step(top - z) * _step(z - bottom) for top, bottom in BODIES_Z_MM)
    inside = _step(HALF_WIDTH_MM - abs(x)) * _step(HALF_DEPTH_MM - abs(y))
    hu: FloatArray = inside * (DISC_HU + (BONE_HU - DISC_HU) * bone)
    return hu


def acquire(tilt_deg: float = 0.0, step_mm: float = 1.0, pixel_mm: float = 0.9) -> CTVolume:
    """The phantom scanned with a gantry that leans about the left-right axis.

    The table moves along z, so that the slices of a tilted gantry are shifted against each
    other. Each voxel is the mean over the thickness of its slice.
    """
    tilt = np.deg2rad(tilt_deg)
    rows, columns, slices = 44, 6, 145
    affine = np.eye(4)
    affine[:3, 0] = [0, 0, -step_mm]
    affine[:3, 1] = pixel_mm * np.array([0, np.cos(tilt), -np.sin(tilt)])
    affine[:3, 2] = [pixel_mm, 0, 0]
    affine[:3, 3] = -affine[:3, :3] @ [slices / 2, rows / 2, columns / 2] + [0, 0, 25]
    grid = np.moveaxis(np.indices((slices, rows, columns)), 0, -1)
    points = grid @ affine[:3, :3].T + affine[:3, 3]
    normal = np.cross(affine[:3, 1], affine[:3, 2]) / pixel_mm**2
    within = [column_hu(points + part * step_mm * normal) for part in (-0.4, -0.2, 0, 0.2, 0.4)]
    return CTVolume(np.rint(np.mean(within, 0)).astype(np.int16), affine)


def body_heights_mm(volume: CTVolume) -> FloatArray:
    """Anterior, middle and posterior height of each body at half maximum; (bodies, 3)."""
    z = np.arange(95.0, -45.0, -0.05)
    heights = []
    for y in (-10.0, 0.0, 10.0):
        line = np.stack([np.zeros_like(z), np.full_like(z, y), z], -1)
        above = volume.sample(line) > MIDWAY_HU
        edges = z[np.flatnonzero(np.diff(above.astype(int)))]
        heights.append(edges[0::2] - edges[1::2])
    return np.array(heights).T


def stored_as(volume: CTVolume, rows: Sequence[float], columns: Sequence[float]) -> CTVolume:
    """The same voxels with other image axes: the direction of rows, and of columns, in LPS.

    Args:
        volume: axes along those of the patient.
    """
    wanted = [np.cross(rows, columns), np.array(columns), np.array(rows)]  # k, r, c
    unit = volume.affine[:3, :3] / volume.spacing_mm
    hu, affine = volume.hu, volume.affine.copy()
    order = [int(np.abs(unit.T @ direction).argmax()) for direction in wanted]
    hu = hu.transpose(order)
    affine[:3, :3] = affine[:3, order]
    for axis, direction in enumerate(wanted):
        if affine[:3, axis] @ direction < 0:
            affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            affine[:3, axis] *= -1
            hu = np.flip(hu, axis)
    return CTVolume(np.ascontiguousarray(hu), affine)


def noise_volume(
    shape: tuple[int, int, int] = (30, 28, 26),
    spacing_mm: tuple[float, float, float] = (2.5, 1.5, 1.25),
) -> CTVolume:
    """Noise, so that no voxel can be taken for another; axial, spacings that all differ."""
    hu = np.random.default_rng(1).integers(-1000, 2000, shape, np.int16)
    affine = np.array([[0, 0, 1, -20.0], [0, 1, 0, -20.0], [-1, 0, 0, 60.0], [0, 0, 0, 1]])
    affine[:3, :3] *= spacing_mm
    return CTVolume(hu, affine)


def _step(distance_mm: FloatArray) -> FloatArray:
    """0 outside, 1 inside, one half on the edge."""
    step: FloatArray = (1 + np.tanh(distance_mm / EDGE_MM)) / 2
    return step
