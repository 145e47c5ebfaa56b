"""The detector's loss: the paper's equation 3, and what makes heights true to size."""

import torch
from torch import nn
from torch.nn import functional

from vfnode.inference.detect_vertebrae import OFFSET_MM
from vfnode.training.vertebrae.batches import DetectorBatch

_POSITIVE_WEIGHT = 3.0
_LOWEST_MM = 1.0


def detector_loss(
    model: nn.Module, batch: DetectorBatch, by_ratio: bool = True
) -> dict[str, torch.Tensor]:
    """Objectness, offsets, heights, height ratios and the auxiliary segmentation.

    Args:
        model: the detector.
        batch: images and targets.
        by_ratio: weigh points and heights by 1 / G; False to show what that brings.
    """
    output = model(batch.image).float()
    positive = batch.positive > 0
    weight = (1 / batch.ratio if by_ratio else torch.ones_like(batch.ratio))[positive]
    count = max(1, len(weight))
    wanted = _segments(batch.offsets, positive)
    found = _segments(output[:, 1:13], positive)
    tall, taller = _heights(wanted), _heights(found)
    return {
        "objectness": 10 * _objectness(output[:, 0], batch),
        # MAE / G: fractures count more (equation 3 of the paper); offsets in units of 10 mm.
        "keypoints": 0.5 * 12 * ((found - wanted).abs().mean((1, 2, 3)) * weight).sum() / count,
        "heights": 0.5 * 3 * ((taller - tall).abs().mean(1) * weight).sum() / count / OFFSET_MM * 2,
        "ratios": 4 * (_log_ratios(taller) - _log_ratios(tall)).abs().mean(1).sum() / count,
        "body": 2
        * functional.binary_cross_entropy_with_logits(output[:, 13], batch.body, batch.asked),
    }


def _objectness(logit: torch.Tensor, batch: DetectorBatch) -> torch.Tensor:
    error = functional.binary_cross_entropy_with_logits(
        logit,
        batch.positive,
        pos_weight=logit.new_tensor(_POSITIVE_WEIGHT),
        reduction="none",
    )
    return (error * batch.counted).sum() / batch.counted.sum()


def _segments(offsets: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """(B, 12, H, W) at the positive cells -> (n, 3, 2, 2)."""
    return offsets.permute(0, 2, 3, 1)[positive].reshape(-1, 3, 2, 2)


def _heights(segments: torch.Tensor) -> torch.Tensor:
    """(n, 3) mm."""
    heights: torch.Tensor = torch.linalg.vector_norm(segments[:, :, 1] - segments[:, :, 0], dim=-1)
    return OFFSET_MM * heights


def _log_ratios(heights_mm: torch.Tensor) -> torch.Tensor:
    """Logarithms of the three ratios of two heights, (n, 3)."""
    log: torch.Tensor = heights_mm.clamp_min(_LOWEST_MM).log()
    return log - log.roll(1, dims=1)
