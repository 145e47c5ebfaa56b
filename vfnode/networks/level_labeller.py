"""Network that names the vertebral level at each height of the straightened spine."""

import torch
from torch import nn

#: Classes, cranial to caudal: atlas and skull, C2 to L5, sacrum.
CLASSES = (
    "C1",
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)
_PLANE = (16, 24, 32)  #: channels while a plane shrinks to a point
_LINE = 64  #: channels along the spine
_DILATIONS = (1, 2, 4, 8)  #: together they see 60 mm up and down: two to four levels


class LevelLabeller(nn.Module):
    """(B, 1, N, 32, 48) windowed to [0, 1] -> logits (B, classes, N); N in 4 mm rows.

    The planes are reduced to a vector each by 3D convolutions, then read along the spine by
    dilated ones. It sees ribs, sacrum and skull within 60 mm only: what follows from the order of
    the column is left to the decoder.
    """

    def __init__(self) -> None:
        super().__init__()
        planes: list[nn.Module] = []
        for inputs, outputs in zip((1, *_PLANE[:-1]), _PLANE, strict=True):
            planes += [
                nn.Conv3d(inputs, outputs, 3, (1, 2, 2), 1, bias=False),
                nn.BatchNorm3d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.planes = nn.Sequential(*planes)
        self.flat = nn.Sequential(
            nn.Conv3d(_PLANE[-1], _LINE, (1, 4, 6), bias=False),
            nn.BatchNorm3d(_LINE),
            nn.ReLU(inplace=True),
        )
        self.line = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(_LINE, _LINE, 3, padding=dilation, dilation=dilation, bias=False),
                nn.BatchNorm1d(_LINE),
                nn.ReLU(inplace=True),
            )
            for dilation in _DILATIONS
        )
        self.drop = nn.Dropout1d(0.1)
        self.head = nn.Conv1d(_LINE, len(CLASSES), 1)

    def forward(self, box: torch.Tensor) -> torch.Tensor:
        """See the class."""
        features = self.flat(self.planes(box))[:, :, :, 0, 0]
        for block in self.line:
            features = features + block(features)
        logits: torch.Tensor = self.head(self.drop(features))
        return logits.float()
