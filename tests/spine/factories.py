"""Curves and bodies along them."""

import numpy as np

from vfnode.spine.curve import SpineCurve


def bodies_along(radius_mm: float) -> np.ndarray:
    """Eight box-shaped bodies 20 mm tall and 30 mm deep, 25 mm apart on a kyphotic arc."""
    frames = kyphotic_curve(radius_mm, 6.0).frames()
    x, z = np.array([-15.0, 0.0, 15.0]), np.array([-10.0, 10.0])
    local = np.stack([np.repeat(x[:, None], 2, 1), np.zeros((3, 2)), np.tile(z, (3, 1))], -1)
    return np.array(
        [local @ frames[row, :3, :3].T + frames[row, :3, 3] for row in range(25, 225, 25)]
    )


def kyphotic_curve(radius_mm: float, drift_mm: float, length_mm: float = 250.0) -> SpineCurve:
    """An arc in the sagittal plane with an S-shaped drift to the side."""
    along = np.linspace(0, length_mm, 60)
    angle = (along - length_mm / 2) / radius_mm
    points = np.stack(
        [
            drift_mm * np.sin(2 * np.pi * along / length_mm),
            radius_mm * np.cos(angle),
            -radius_mm * np.sin(angle),
        ],
        1,
    )
    return SpineCurve.from_points(points)
