"""The anchor-free vertebra detector: a U-Net on the straightened sagittal image.

Zakharov, Pisov et al., Medical Image Analysis 83, 2023: every pixel is an anchor
that says whether a vertebra's centre is near and where its six keypoints are.
"""

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (16, 32, 48, 96, 128)
STRIDE = 2  #: image pixels per output cell
MULTIPLE = 16  #: sides of the input must be multiples of this
OUTPUTS = 14  #: objectness logit, 12 offsets, body segmentation logit (training only)


def convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions with BatchNorm and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class VertebraDetector(nn.Module):
    """(B, 1, H, W) normalised HU -> (B, 14, H / 2, W / 2).

    Channel 0: objectness logit. Channels 1 to 12: offset from the cell to the six
    keypoints in units of 10 mm, anterior/middle/posterior x superior/inferior x
    (x, z). Channel 13: logit of 'inside a body', which only training reads.
    """

    def __init__(self) -> None:
        super().__init__()
        previous = (1, *CHANNELS[:-1])
        self.down = nn.ModuleList(
            convolutions(a, b) for a, b in zip(previous, CHANNELS, strict=True)
        )
        self.up = nn.ModuleList(
            convolutions(below + here, here)
            for below, here in zip(CHANNELS[:1:-1], CHANNELS[-2:0:-1], strict=True)
        )
        self.head = nn.Conv2d(CHANNELS[1], OUTPUTS, 1)
        rare = torch.zeros(OUTPUTS)
        rare[0] = -3.0  # few cells hold a vertebra: start from that
        self.head.bias = nn.Parameter(rare)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        skips: list[torch.Tensor] = []
        features = image
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            skips.append(features)
        for block, skip in zip(self.up, skips[-2:0:-1], strict=True):
            wide = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([wide, skip], 1))
        result: torch.Tensor = self.head(features)
        return result
