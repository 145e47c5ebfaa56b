"""Names of the vertebral levels: a signal along the spine, decoded by the order of the column."""

import numpy as np
import torch

from vfnode.inference.bundle import LoadedModel
from vfnode.networks.level_labeller import CLASSES
from vfnode.spine.curve import SpineCurve
from vfnode.spine.level_chain import NamedColumn, name_column
from vfnode.spine.resample import window
from vfnode.spine.spine_box import arc_of, row_of, spine_box
from vfnode.spine.volume import CTVolume, FloatArray

#: The rows of one spine share their errors: their evidence counts for less than its sum. Chosen
#: on synthetic CT of seeds that no training uses, so that confidence is the share that is right.
TEMPERATURE = 2.0
FLOOR = -7.0  #: natural logarithm: no single body is more certain than this of what it is not


def label_levels(
    volume: CTVolume,
    curve: SpineCurve,
    keypoints_mm: FloatArray,
    loaded: LoadedModel,
    device: str = "cpu",
) -> NamedColumn:
    """Name measured bodies.

    Args:
        volume: the CT.
        curve: through the bodies.
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal, n at least 1.
        loaded: a bundle of role 'levels'.
        device: where its network is.
    """
    centres = keypoints_mm.mean((1, 2))
    rows = row_of(arc_of(curve, centres))
    logits = level_logits(spine_box(volume, curve), loaded, device)
    gaps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    return name_column(evidence_at(logits, rows), gaps)


def level_logits(box: np.ndarray, loaded: LoadedModel, device: str) -> FloatArray:
    """(classes, N) of a box (N, 32, 48) in HU; mean of the box and its mirror image."""
    low, high = loaded.manifest.window_hu
    image = torch.from_numpy(window(box, low, high)).to(device)
    with torch.inference_mode():
        logits = loaded.model(torch.stack([image, image.flip(-1)])[:, None]).mean(0)
    return np.asarray(logits.cpu().numpy(), float)


def evidence_at(logits: FloatArray, rows: FloatArray) -> dict[str, FloatArray]:
    """Log-probability (n,) of each class at fractional rows (n,), softened."""
    tempered = logits / TEMPERATURE
    at = np.stack([np.interp(rows, np.arange(logits.shape[1]), line) for line in tempered])
    log_probability = at - np.logaddexp.reduce(at, axis=0)
    return dict(zip(CLASSES, np.maximum(log_probability, FLOOR), strict=True))
