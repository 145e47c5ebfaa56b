"""A site's read CT, and crops of drawn columns."""

import json
from pathlib import Path

import nibabel
import numpy as np

from tests.evaluation.factories import box
from vfnode.spine.vertebra import COLUMNS, ENDS
from vfnode.training.vertebrae.batches import Crop

BONE_HU, SOFT_HU = 300, 60


MIDDLES_MM = (25.0, 0.0, -25.0)  #: z of the phantom's bodies, 20 mm high and deep


def phantom() -> tuple[np.ndarray, np.ndarray]:
    """RAS voxels of 1 mm with three bodies 5 mm apart, and its affine."""
    hu = np.full((61, 61, 121), SOFT_HU, np.int16)
    for middle in MIDDLES_MM:
        at = round(middle) + 80
        hu[15:46, 20:41, at - 10 : at + 11] = BONE_HU
    affine = np.array([[1.0, 0, 0, -30], [0, 1.0, 0, -30], [0, 0, 1.0, -80], [0, 0, 0, 1]])
    return hu, affine


def write_reference(folder: Path) -> str:
    """A data set of two patients with the same phantom."""
    hu, affine = phantom()
    nibabel.save(nibabel.Nifti1Image(hu, affine), folder / "ct.nii.gz")
    entries = []
    for patient in ("anna", "boris"):
        vertebrae = [
            {
                "level": f"T{9 + i}",
                "keypoints_patient_mm": {
                    column: {e: list(map(float, p)) for e, p in zip(ENDS, pair, strict=True)}
                    for column, pair in zip(COLUMNS, box(z), strict=True)
                },
            }
            for i, z in enumerate(MIDDLES_MM)
        ]
        reading = {"case": patient, "vertebrae": vertebrae}
        (folder / f"{patient}.json").write_text(json.dumps(reading))
        entries.append({"reading": f"{patient}.json", "images": "ct.nii.gz"})
    path = folder / "list.json"
    path.write_text(json.dumps(entries))
    return f"reference:{path}"


def crop_with(centres_px: list[tuple[float, float]]) -> Crop:
    """64 x 64 px with an upright 20 x 16 mm body at each centre; the first stands for C2."""
    body = np.array([[[-10, -8], [-10, 8]], [[0, -8], [0, 8]], [[10, -8], [10, 8]]], float)
    points = np.array([body + centre for centre in centres_px])
    shape = (64, 64)
    return Crop(
        np.zeros(shape, np.float32), np.zeros(shape, np.uint8), points, np.ones(shape, bool)
    )
