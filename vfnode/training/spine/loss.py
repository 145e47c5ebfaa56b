"""Loss of the spine localiser."""

import torch
from torch import nn
from torch.nn import functional

from vfnode.networks.spine_localizer import SpineMaps, soft_argmax
from vfnode.training.spine.batches import SpineBatch

_GAUSSIAN_SIGMA = 1.2  # heat-map pixels


def spine_loss(model: nn.Module, batch: SpineBatch) -> dict[str, torch.Tensor]:
    """Three terms on a batch.

    Mean absolute error of the soft-argmax (cm) and cross-entropy of the slice
    probability as in Zakharov et al. 2023; 0.3 cross-entropy against a Gaussian
    at the true point, which narrows the heat-map.
    """
    maps: SpineMaps = model(batch.image)
    here = batch.present > 0
    decided = functional.binary_cross_entropy_with_logits(
        maps.slice_logits, batch.present, reduction="none"
    )
    # The heat-map's pixels are DRAWN_MM * 2 = 4 mm wide.
    error_cm = 0.4 * (soft_argmax(maps.logits) - batch.target).abs().sum(-1)
    shape = _gaussian_cross_entropy(maps.logits, batch.target)
    count = here.sum().clamp(min=1)
    return {
        "presence": (decided * batch.weight).sum() / batch.weight.sum().clamp(min=1),
        "place_cm": (error_cm * here).sum() / count,
        "shape": 0.3 * (shape * here).sum() / count,
    }


def _gaussian_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(B, K) cross-entropy of each slice's softmax to a Gaussian at its target."""
    rows = torch.arange(logits.shape[2], device=logits.device)
    columns = torch.arange(logits.shape[3], device=logits.device)
    row = torch.exp(-((rows - target[..., :1]) ** 2) / (2 * _GAUSSIAN_SIGMA**2))
    column = torch.exp(-((columns - target[..., 1:]) ** 2) / (2 * _GAUSSIAN_SIGMA**2))
    wanted = row[..., :, None] * column[..., None, :]
    wanted = wanted / wanted.sum((-2, -1), keepdim=True).clamp(min=1e-6)
    return -(wanted * torch.log_softmax(logits.flatten(2), -1).reshape(logits.shape)).sum((-2, -1))
