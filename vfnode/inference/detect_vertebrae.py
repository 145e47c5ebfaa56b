"""Stage 2: straightened sagittal image -> vertebral bodies, by the votes of the pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel
from vfnode.inference.model_input import normalise
from vfnode.inference.suppress import suppress
from vfnode.networks.vertebra_detector import MULTIPLE, STRIDE
from vfnode.spine.resample import FloatImage
from vfnode.spine.straighten import StraightenedSagittal
from vfnode.spine.vertebra import Vertebra

OFFSET_MM = 10.0  #: unit of the network's offsets
_MARGIN_PX = 16  #: air around the image: bodies at its ends are seen whole or as cut
_AIR_HU = -1000.0


@dataclass(frozen=True)
class DetectionLimits:
    """Limits beyond which votes count as a vertebra."""

    objectness: float = 0.7  #: least probability of the best pixel; the paper's threshold
    pixel: float = 0.5  #: least probability of a pixel that votes
    votes: int = 10  #: a body gets 15 to 25 votes, a false disc or sacrum 6 to 9
    reach_mm: float = 5.0  #: votes whose centres are this near belong to one body


def detect_vertebrae(
    image: StraightenedSagittal,
    loaded: LoadedModel,
    device: str = "cpu",
    limits: DetectionLimits | None = None,
) -> tuple[Vertebra, ...]:
    """Vertebral bodies from cranial to caudal, disjoint and in order.

    Args:
        image: 1 mm pixels.
        loaded: a bundle of role 'vertebrae'.
        device: where the model is.
        limits: thresholds; the tried ones when None.

    Returns:
        Keypoints in (x, z) mm of the image; a body cut by the border may have some outside.
    """
    return detect_in_image(image.hu, image.step_mm, loaded.model, device, limits)


def detect_in_image(
    hu: FloatImage,
    step_mm: float,
    model: nn.Module,
    device: str = "cpu",
    limits: DetectionLimits | None = None,
    suppression: Callable[[Sequence[Vertebra]], tuple[Vertebra, ...]] = suppress,
) -> tuple[Vertebra, ...]:
    """The same as `detect_vertebrae`, of a bare image (rows, columns), network and suppression."""
    limits = limits or DetectionLimits()
    objectness, keypoints = _votes(hu, step_mm, model, device)
    voting = objectness > limits.pixel
    candidates = _group(objectness[voting], keypoints[voting], limits)
    return suppression(candidates)


def _votes(
    hu: FloatImage, step_mm: float, model: nn.Module, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Probability (cells,) and keypoints (cells, 3, 2, 2) in (x, z) mm of every output cell."""
    rows, columns = hu.shape
    wanted = [-(-(size + 2 * _MARGIN_PX) // MULTIPLE) * MULTIPLE for size in (rows, columns)]
    padded = np.full(wanted, _AIR_HU, np.float32)
    padded[_MARGIN_PX : _MARGIN_PX + rows, _MARGIN_PX : _MARGIN_PX + columns] = hu
    with torch.inference_mode():
        batch = torch.from_numpy(normalise(padded))[None, None].to(device)
        output = model(batch)[0].float().cpu().numpy()
    centre = (STRIDE - 1) / 2 - _MARGIN_PX
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in output.shape[:0:-1])), -1) * STRIDE + centre
    offsets = np.moveaxis(output[1:13], 0, -1).reshape(*grid.shape[:2], 3, 2, 2)
    keypoints = (grid[:, :, None, None] * step_mm) + offsets * OFFSET_MM
    probability = 1 / (1 + np.exp(-output[0]))
    return probability.ravel(), keypoints.reshape(-1, 3, 2, 2)


def _group(
    objectness: np.ndarray, keypoints: np.ndarray, limits: DetectionLimits
) -> list[Vertebra]:
    """Gather votes for the same centre, best first; each keypoint is the median of its votes."""
    centres = keypoints.mean((1, 2))
    free = np.ones(len(objectness), bool)
    found: list[Vertebra] = []
    for best in np.argsort(-objectness):
        if objectness[best] < limits.objectness:
            break
        if not free[best]:
            continue
        near = free & (np.linalg.norm(centres - centres[best], axis=1) < limits.reach_mm)
        free &= ~near
        if near.sum() >= limits.votes:
            found.append(_median_vote(objectness[near], keypoints[near]))
    return found


def _median_vote(objectness: np.ndarray, keypoints: np.ndarray) -> Vertebra:
    """The body that most pixels agree on, and how far they disagree."""
    middle = np.median(keypoints, axis=0)
    spread = np.median(np.linalg.norm(keypoints - middle, axis=-1), axis=0).mean()
    return Vertebra(middle, float(objectness.max()), float(spread))
