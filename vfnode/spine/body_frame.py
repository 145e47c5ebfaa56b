"""The frame of one body: its axes against those of the patient."""

from __future__ import annotations

import numpy as np

from vfnode.spine.volume import FloatArray


def body_rotation(keypoints_mm: FloatArray) -> FloatArray:
    """Columns posterior, left, caudal of one body (3, 2, 3): its own frame, (3, 3)."""
    posterior = keypoints_mm[2].mean(0) - keypoints_mm[0].mean(0)
    posterior = posterior / np.linalg.norm(posterior)
    along = (keypoints_mm[:, 1] - keypoints_mm[:, 0]).mean(0)
    left = np.cross(along, posterior)
    left = left / np.linalg.norm(left)
    return np.stack([posterior, left, np.cross(posterior, left)], 1)
