"""The input of each network: the constants that its weights were trained with.

A manifest repeats them. What the code reads from a manifest may differ from model to model; what
it does the same way for every model is compared when the manifest is read.
"""

from dataclasses import dataclass

import numpy as np

from vfnode.networks.keypoint_refiner import CROP_PX
from vfnode.spine.resample import FloatImage
from vfnode.spine.spine_box import VOXEL_MM

LOW_HU, HIGH_HU = -200.0, 800.0
CROP_DEPTHS = 2.7  #: side of the second look's crop in antero-posterior depths
_WINDOW = "window"
_SCALED = "clip to window, / 300 HU, - 0.5"


@dataclass(frozen=True)
class ModelInput:
    """The input of the models of one role; None: as the manifest says."""

    normalisation: str  #: what is done with the HU, as manifests word it
    axes: int  #: of the resampled image; 0 where the scale is that of each body
    spacing_mm: tuple[float, ...] | None = None
    window_hu: tuple[float, float] | None = None


#: Role -> input.
INPUTS = {
    "spine": ModelInput(_WINDOW, 3),
    "levels": ModelInput(_WINDOW, 3, (VOXEL_MM, VOXEL_MM, VOXEL_MM)),
    "vertebrae": ModelInput(_SCALED, 2, (1.0, 1.0), (LOW_HU, HIGH_HU)),
    "keypoints": ModelInput(
        f"{_SCALED}; {CROP_PX} px over {CROP_DEPTHS} antero-posterior depths",
        0,
        (),
        (LOW_HU, HIGH_HU),
    ),
}


def input_fault(
    role: str, spacing_mm: tuple[float, ...], window_hu: tuple[float, float], normalisation: str
) -> str | None:
    """A contradiction of a manifest to what the code does, in words; None where there is none."""
    done = INPUTS[role]
    if normalisation != done.normalisation:
        return f"normalisation {normalisation!r}; this release does {done.normalisation!r}"
    if done.spacing_mm is not None and spacing_mm != done.spacing_mm:
        return f"spacing_mm {spacing_mm}; this release resamples to {done.spacing_mm}"
    if len(spacing_mm) != done.axes or not all(step > 0 for step in spacing_mm):
        return f"spacing_mm {spacing_mm}; there must be {done.axes}, all positive"
    if done.window_hu is not None and window_hu != done.window_hu:
        return f"window_hu {window_hu}; this release clips to {done.window_hu}"
    low, high = window_hu
    return None if low < high else f"window_hu {window_hu}; the lower value comes first"


def normalise(hu: np.ndarray) -> FloatImage:
    """HU -> about -1.2 to 2.2, for 'vertebrae' and 'keypoints'; in training and inference."""
    return np.asarray(np.clip(hu, LOW_HU, HIGH_HU) / 300.0 - 0.5, np.float32)
