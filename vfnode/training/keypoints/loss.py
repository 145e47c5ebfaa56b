"""The second look's loss: heat-maps, points, height ratios, segmentations, objectness."""

import torch
from torch import nn
from torch.nn import functional

from vfnode.networks.keypoint_refiner import CROP_PX, FACING, KEYPOINTS, soft_argmax
from vfnode.training.keypoints.batches import RefinerBatch

_SIGMA_PX = 1.5
_LOWEST_PX = 1.0
_FACING_WEIGHT = 0.5  #: of the neighbours' points beside the body's own
_FEWEST = 8  #: bodies below which no regression line is drawn


def refiner_loss(model: nn.Module, batch: RefinerBatch) -> dict[str, torch.Tensor]:
    """Terms weighted as found useful; points outside the crop teach nothing."""
    maps, objectness = model(batch.image)
    maps = maps.float()
    body = batch.is_body > 0
    inside = ((batch.points_px > 0) & (batch.points_px < CROP_PX - 1)).all(-1) & body[:, None]
    weight = inside.float() / inside.sum().clamp_min(1)
    weight[:, KEYPOINTS:] *= _FACING_WEIGHT
    logits = maps[:, : KEYPOINTS + FACING]
    log_heat = logits.flatten(-2).log_softmax(-1)
    cross_entropy = -(_gaussians(batch.points_px) * log_heat).sum(-1)
    points, spread = soft_argmax(logits)
    apart = (points - batch.points_px).abs().sum(-1)
    whole = inside[:, :KEYPOINTS].all(1)
    found, wanted = (_log_ratios(px[whole, :KEYPOINTS]) for px in (points, batch.points_px))
    return {
        "heatmap": (cross_entropy * weight).sum(),
        "points": 0.3 * (apart * weight).sum(),
        "ratios": 2 * (found - wanted).abs().sum() / (3 * whole.sum().clamp_min(1)),
        "shrinkage": 4 * _shrinkage(found, wanted, spread[whole, :KEYPOINTS].detach().mean(1)),
        "bodies": 3
        * functional.binary_cross_entropy_with_logits(
            maps[:, KEYPOINTS + FACING :], batch.segmentation, batch.segmented
        ),
        "objectness": 0.3
        * functional.binary_cross_entropy_with_logits(objectness.float(), batch.is_body),
    }


def _shrinkage(found: torch.Tensor, wanted: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Pull of the found ratios (n, 3) towards the mean, 0 if there is none.

    The error alone is least where a doubtful body is measured as nearly normal, so that
    fractures are graded too mildly. Here the slope of found on wanted ratios is held at 1,
    among the sharp and among the doubtful bodies of the batch alike.
    """
    if len(found) < _FEWEST:
        return found.sum() * 0
    order = spread.argsort()
    slopes = [_slopes(found[part], wanted[part]) for part in order.chunk(2)]
    return (torch.cat(slopes) - 1).square().mean()


def _slopes(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Slope of the regression of found on wanted, of each column; (n, 3) -> (3,)."""
    apart = wanted - wanted.mean(0)
    slopes: torch.Tensor = (found * apart).sum(0) / apart.square().sum(0).clamp_min(1e-6)
    return slopes


def _gaussians(points_px: torch.Tensor) -> torch.Tensor:
    """(B, n, 2) -> (B, n, 128 * 128), each summing to one."""
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
