"""Loss of the level labeller."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from vfnode.training.levels.batches import (
    LevelBatch,
)


def level_loss(model: nn.Module, batch: LevelBatch) -> dict[str, torch.Tensor]:
    """Cross-entropy of each row's level, over the rows that the scan shows."""
    logits = model(batch.image)
    entropy = -(batch.target * functional.log_softmax(logits, 1)).sum(1)
    return {"level": (entropy * batch.weight).sum() / batch.weight.sum().clamp_min(1)}
