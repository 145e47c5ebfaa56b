"""A detector with anchor boxes, as the paper's Table 2 compares with: for the ablation alone.

A YOLO-like head on the shipped detector's own backbone: at a stride of 8 mm every cell has three
anchor boxes, each with an objectness, a box and six keypoints relative to the box. Suppression by
the intersection over union of the boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from vfnode.inference.model_input import normalise
from vfnode.inference.suppress import suppress
from vfnode.networks.vertebra_detector import CHANNELS, MULTIPLE, VertebraDetector
from vfnode.spine.vertebra import Vertebra
from vfnode.training.vertebrae.batches import Crop

STRIDE = 8  #: image pixels a cell
POOL = 4  #: cells of the backbone a cell of the head
ANCHORS_MM = np.array([(17.0, 15.0), (26.0, 20.0), (34.0, 28.0)])  #: neck, chest, loin
OUTPUTS = 17  #: an anchor: objectness, box (x, z, width, height), 12 keypoint coordinates
MIN_SCORE, MAX_BOX_IOU = 0.5, 0.3
MOST = 200  #: boxes that are compared with each other
POSITIVE_WEIGHT = 5.0


class AnchorBoxDetector(nn.Module):
    """(B, 1, H, W) normalised HU -> (B, anchors, 17, H / 8, W / 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = VertebraDetector()
        self.backbone.head = nn.Identity()  # type: ignore[assignment]
        self.shrink = nn.Sequential(
            nn.Conv2d(CHANNELS[1], 64, POOL, POOL, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Conv2d(64, len(ANCHORS_MM) * OUTPUTS, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        cells = self.head(self.shrink(self.backbone(image)))
        return cells.unflatten(1, (len(ANCHORS_MM), OUTPUTS))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AnchorBatch:
    """Images and targets of one step."""

    image: torch.Tensor  #: (B, 1, H, W)
    positive: torch.Tensor  #: (B, anchors, H / 8, W / 8) float
    wanted: torch.Tensor  #: (B, anchors, 16, H / 8, W / 8) box and keypoints, as encoded


def box_of(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and size (2,) of the box around six keypoints."""
    low, high = keypoints.min((0, 1)), keypoints.max((0, 1))
    return (low + high) / 2, high - low


def box_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of the boxes around two bodies' keypoints (3, 2, 2)."""
    low = np.maximum(first.min((0, 1)), second.min((0, 1)))
    high = np.minimum(first.max((0, 1)), second.max((0, 1)))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float(np.prod(np.ptp(points, (0, 1)))) for points in (first, second))
    return shared / (areas - shared)


def anchor_batch(crops: list[Crop]) -> AnchorBatch:
    """Each seen body belongs to the cell that holds its centre and the anchor of its shape."""
    rows, columns = (size // STRIDE for size in crops[0].hu.shape)
    positive = np.zeros((len(crops), len(ANCHORS_MM), rows, columns), np.float32)
    wanted = np.zeros((len(crops), len(ANCHORS_MM), OUTPUTS - 1, rows, columns), np.float32)
    for number, crop in enumerate(crops):
        for index, keypoints in enumerate(crop.keypoints_px):
            centre, size = box_of(keypoints)
            column, row = (centre // STRIDE).astype(int)
            inside = 0 <= row < rows and 0 <= column < columns
            if (
                index in crop.ignored
                or not inside
                or not crop.seen[tuple(centre.astype(int)[::-1])]
            ):
                continue
            anchor = int(np.abs(np.log(size / ANCHORS_MM)).sum(1).argmin())
            place = (number, anchor, slice(None), row, column)
            positive[number, anchor, row, column] = 1
            wanted[place] = encoded(keypoints, anchor, (row, column))
    image = torch.from_numpy(np.stack([normalise(crop.hu) for crop in crops])[:, None])
    return AnchorBatch(image, torch.from_numpy(positive), torch.from_numpy(wanted))


def encoded(keypoints: np.ndarray, anchor: int, cell: tuple[int, int]) -> np.ndarray:
    """Box offset in cells, log size in anchors, keypoints in box sizes from the box's centre."""
    centre, size = box_of(keypoints)
    offset = centre / STRIDE - np.array(cell[::-1]) - 0.5
    points = (keypoints - centre) / size
    return np.concatenate([offset, np.log(size / ANCHORS_MM[anchor]), points.ravel()])


def decoded(values: np.ndarray, anchor: int, cell: tuple[int, int]) -> np.ndarray:
    """Inverse of `encoded`: keypoints (3, 2, 2), pixels."""
    centre = (values[:2] + np.array(cell[::-1]) + 0.5) * STRIDE
    size = np.exp(values[2:4]) * ANCHORS_MM[anchor]
    return np.asarray(values[4:].reshape(3, 2, 2) * size + centre)


def anchor_loss(model: nn.Module, batch: AnchorBatch) -> dict[str, torch.Tensor]:
    """Objectness, box and keypoints."""
    output = model(batch.image).float()
    here = batch.positive > 0
    count = max(1, int(here.sum()))
    error = (output[:, :, 1:] - batch.wanted).abs().movedim(2, -1)[here]
    weight = output.new_tensor(POSITIVE_WEIGHT)
    return {
        "objectness": 10
        * functional.binary_cross_entropy_with_logits(
            output[:, :, 0], batch.positive, pos_weight=weight
        ),
        "box": error[:, :4].sum() / count,
        "keypoints": 4 * error[:, 4:].sum() / count,
    }


def detect_by_boxes(model: nn.Module, hu: np.ndarray) -> tuple[Vertebra, ...]:
    """Bodies of an image (rows, columns) of 1 mm, suppressed by the overlap of their boxes."""
    padded = [-(-size // MULTIPLE) * MULTIPLE for size in hu.shape]
    image = np.full(padded, -1000.0, np.float32)
    image[: hu.shape[0], : hu.shape[1]] = hu
    with torch.inference_mode():
        output = model(torch.from_numpy(normalise(image))[None, None])[0].float().numpy()
    score = 1 / (1 + np.exp(-output[:, 0]))
    likely = np.argwhere(score > MIN_SCORE)
    likely = likely[np.argsort(-score[tuple(likely.T)])][:MOST]
    found = [
        Vertebra(
            decoded(output[anchor, 1:, row, column], anchor, (row, column)),
            float(score[anchor, row, column]),
            0.0,
        )
        for anchor, row, column in likely
    ]
    return suppress(found, MAX_BOX_IOU, box_iou)
