"""The second look's loss: heat-maps, points, height ratios, segmentations, objectness."""

import torch
from torch import nn
from torch.nn import functional

from vfnode.networks.keypoint_refiner import CROP_PX, KEYPOINTS, soft_argmax
from vfnode.training.refiner_data import RefinerBatch

_SIGMA_PX = 1.5
_LOWEST_PX = 1.0


def refiner_loss(model: nn.Module, batch: RefinerBatch) -> dict[str, torch.Tensor]:
    """Terms weighted as found useful; points outside the crop teach nothing."""
    maps, objectness = model(batch.image)
    maps = maps.float()
    body = batch.is_body > 0
    inside = ((batch.points_px > 0) & (batch.points_px < CROP_PX - 1)).all(-1) & body[:, None]
    weight = inside.float() / inside.sum().clamp_min(1)
    logits = maps[:, :KEYPOINTS]
    log_heat = logits.flatten(-2).log_softmax(-1)
    cross_entropy = -(_gaussians(batch.points_px) * log_heat).sum(-1)
    points, _ = soft_argmax(logits)
    apart = (points - batch.points_px).abs().sum(-1)
    whole = inside.all(1)
    ratios = (_log_ratios(points) - _log_ratios(batch.points_px)).abs().mean(1)
    return {
        "heatmap": (cross_entropy * weight).sum(),
        "points": 0.3 * (apart * weight).sum(),
        "ratios": 2 * (ratios * whole).sum() / whole.sum().clamp_min(1),
        "bodies": 3
        * functional.binary_cross_entropy_with_logits(
            maps[:, KEYPOINTS:], batch.segmentation, batch.segmented
        ),
        "objectness": 0.3
        * functional.binary_cross_entropy_with_logits(objectness.float(), batch.is_body),
    }


def _gaussians(points_px: torch.Tensor) -> torch.Tensor:
    """(B, 6, 2) -> (B, 6, 96 * 96), each summing to one."""
    line = torch.arange(CROP_PX, dtype=torch.float32, device=points_px.device)
    across = -((line - points_px[..., :1]) ** 2) / (2 * _SIGMA_PX**2)
    down = -((line - points_px[..., 1:]) ** 2) / (2 * _SIGMA_PX**2)
    return (down[..., :, None] + across[..., None, :]).flatten(-2).softmax(-1)


def _log_ratios(points_px: torch.Tensor) -> torch.Tensor:
    """Logarithms of the three ratios of two heights, (B, 3)."""
    segments = points_px.reshape(-1, 3, 2, 2)
    heights = torch.linalg.vector_norm(segments[:, :, 1] - segments[:, :, 0], dim=-1)
    log: torch.Tensor = heights.clamp_min(_LOWEST_PX).log()
    return log - log.roll(1, dims=1)
