"""A sagittal image of one body in soft discs, for what warps and what reads images."""

import numpy as np

from tests.evaluation.factories import PITCH_MM, box
from vfnode.spine.volume import CTVolume

BONE_HU, SHELL_HU, DISC_HU = 300, 800, 80


KEYPOINTS = np.array([box(PITCH_MM), box(0.0), box(-PITCH_MM)])


def phantom() -> CTVolume:
    """Three bodies with bright endplates at 1 mm, discs of 5 mm between them."""
    affine = np.array([[0, 0, 1.0, -40], [0, 1.0, 0, -40], [-1.0, 0, 0, 45], [0, 0, 0, 1.0]])
    z_mm = (45.0 - np.arange(91))[:, None, None]
    y_mm, x_mm = (np.arange(81) - 40.0)[:, None], np.arange(81) - 40.0
    nearest = PITCH_MM * np.clip(np.round(z_mm / PITCH_MM), -1, 1)
    from_middle = np.abs(z_mm - nearest)
    column = (np.abs(y_mm) <= 11) & (np.abs(x_mm) <= 14)
    hu = np.where(from_middle <= 8.5, BONE_HU, np.where(from_middle <= 10.5, SHELL_HU, DISC_HU))
    return CTVolume(np.where(column, hu, 0).astype(np.int16), affine)
