"""Stage 1: where the spine runs in each axial slice, and whether a slice holds spine."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional


class SpineMaps(NamedTuple):
    """Output of the localiser."""

    logits: torch.Tensor  #: (B, K, R / 2, C / 2): heat-map before softmax, stride 2 in plane
    slice_logits: torch.Tensor  #: (B, K): global maximum of each slice


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    # BatchNorm: GroupNorm was measured 5 times slower in bfloat16 on CPU.
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(outputs, momentum=0.05),
        nn.ReLU(inplace=True),
    )


class _Up(nn.Module):
    """Half the coarse channels, enlarge to the skip's grid, add, convolve."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.project = nn.Conv3d(coarse, fine, 1)
        self.convolve = _convolution(fine, fine)

    def forward(self, coarse: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        enlarged = functional.interpolate(self.project(coarse), skip.shape[2:], mode="nearest")
        return self.convolve(skip + enlarged)  # type: ignore[no-any-return]


class SpineLocalizer(nn.Module):
    """3D U-Net-like fully convolutional network on 4 x 2 x 2 mm voxels.

    The stem strides by (1, 2, 2), so everything behind it works at 4 mm
    isotropic. Any input size is accepted.

    Source: Zakharov et al. 2023 (arXiv 2204.06818), section 3.1: heat-map with
    soft-argmax per slice, global max-pool for the slice's probability.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 64)) -> None:
        """Build with `widths` channels at 4, 8, 16, ... mm."""
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(1, widths[0], (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False),
            nn.BatchNorm3d(widths[0], momentum=0.05),
            nn.ReLU(inplace=True),
            _convolution(widths[0], widths[0]),
        )
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(fine, coarse, 2), _convolution(coarse, coarse))
            for fine, coarse in pairs
        )
        self.up = nn.ModuleList(_Up(coarse, fine) for fine, coarse in reversed(pairs))
        self.head = nn.Conv3d(widths[0], 1, 1)

    def forward(self, image: torch.Tensor) -> SpineMaps:
        """Heat-maps of `image` (B, 1, K, R, C), windowed to [0, 1]."""
        features = [self.stem(image)]
        for down in self.down:
            features.append(down(features[-1]))
        top = features.pop()
        for up in self.up:
            top = up(top, features.pop())
        logits = self.head(top)[:, 0].float()
        return SpineMaps(logits, logits.amax(dim=(2, 3)))


def soft_argmax(logits: torch.Tensor) -> torch.Tensor:
    """Expected (row, column) of a heat-map under its softmax.

    Args:
        logits: (..., R, C).

    Returns:
        (..., 2), in pixels of the heat-map.
    """
    rows, columns = logits.shape[-2:]
    weight = torch.softmax(logits.flatten(-2), dim=-1).reshape(logits.shape)
    row = (weight.sum(-1) * torch.arange(rows, device=logits.device)).sum(-1)
    column = (weight.sum(-2) * torch.arange(columns, device=logits.device)).sum(-1)
    return torch.stack([row, column], dim=-1)
