"""The second look: a U-Net on one body's crop that says where its six keypoints are."""

import torch
from torch import nn
from torch.nn import functional

from vfnode.networks.vertebra_detector import convolutions

CROP_PX = 128  #: side of the square crop
KEYPOINTS = 6
FACING = 6  #: the neighbours' points that face the body; training only
SEGMENTATIONS = 2  #: this body, any body; training only
_CHANNELS = (16, 40, 80, 128, 160)


class KeypointRefiner(nn.Module):
    """(B, 1, 128, 128) normalised HU -> maps (B, 14, 128, 128) and objectness logit (B,).

    Maps 0 to 5: logits whose softmax over the image is where a keypoint lies,
    anterior/middle/posterior x superior/inferior. Maps 6 to 11: the same of the facing
    endplates, 3 inferior points of the body above, 3 superior ones of that below: what
    is one body's endplate cannot be its neighbour's. Maps 12, 13: segmentation logits.
    """

    def __init__(self) -> None:
        super().__init__()
        previous = (1, *_CHANNELS[:-1])
        self.down = nn.ModuleList(
            convolutions(a, b) for a, b in zip(previous, _CHANNELS, strict=True)
        )
        self.up = nn.ModuleList(
            convolutions(below + here, here)
            for below, here in zip(_CHANNELS[:0:-1], _CHANNELS[-2::-1], strict=True)
        )
        self.maps = nn.Conv2d(_CHANNELS[0], KEYPOINTS + FACING + SEGMENTATIONS, 1)
        self.objectness = nn.Linear(_CHANNELS[-1], 1)

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        skips: list[torch.Tensor] = []
        features = crop
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            skips.append(features)
        half = features.shape[-1] // 2
        centre = features[:, :, half - 2 : half + 2, half - 2 : half + 2].mean((2, 3))
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            wide = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([wide, skip], 1))
        return self.maps(features), self.objectness(centre)[:, 0]


def soft_argmax(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Points that heat-maps mark, and the spread of each.

    Args:
        logits: (..., H, W).

    Returns:
        Points (..., 2) as (x, z) in pixels, and the root mean square distance from
        them (...), pixels.
    """
    rows, columns = logits.shape[-2:]
    heat = logits.float().flatten(-2).softmax(-1).reshape(logits.shape)
    across, down = heat.sum(-2), heat.sum(-1)
    x = torch.arange(columns, dtype=heat.dtype, device=heat.device)
    z = torch.arange(rows, dtype=heat.dtype, device=heat.device)
    mean_x, mean_z = (across * x).sum(-1), (down * z).sum(-1)
    variance = (across * (x - mean_x[..., None]) ** 2).sum(-1)
    variance = variance + (down * (z - mean_z[..., None]) ** 2).sum(-1)
    return torch.stack([mean_x, mean_z], -1), variance.clamp_min(0).sqrt()


def axial_spread(logits: torch.Tensor) -> torch.Tensor:
    """Standard deviation (...) of heat-maps (..., H, W) along the rows' axis, pixels.

    It is what makes a height uncertain; spread across it moves a point along its endplate.
    """
    heat = logits.float().flatten(-2).softmax(-1).reshape(logits.shape)
    down = heat.sum(-1)
    z = torch.arange(logits.shape[-2], dtype=heat.dtype, device=heat.device)
    mean = (down * z).sum(-1, keepdim=True)
    return (down * (z - mean) ** 2).sum(-1).clamp_min(0).sqrt()
