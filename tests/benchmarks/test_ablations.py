"""The anchor-box baseline that the shipped detector is compared with."""

import numpy as np
import pytest
import torch

from tests.benchmarks.anchor_boxes import (
    ANCHORS_MM,
    AnchorBoxDetector,
    anchor_batch,
    anchor_loss,
    box_iou,
    decoded,
    detect_by_boxes,
    encoded,
)
from tests.training.factories import crop_with
from vfnode.training.vertebrae.batches import detector_batch
from vfnode.training.vertebrae.loss import detector_loss

BODY = np.array([[[10, 12], [11, 27]], [[22, 13], [22, 26]], [[34, 12], [33, 28]]], float)


def test_a_body_comes_back_from_its_code():
    """Box and points are coded relative to cell and anchor without loss."""
    for anchor in range(len(ANCHORS_MM)):
        assert decoded(encoded(BODY, anchor, (2, 2)), anchor, (2, 2)) == pytest.approx(BODY)


def test_boxes_overlap_by_their_shared_area():
    """Shifted by half its width a box shares a third of the union."""
    assert box_iou(BODY, BODY) == pytest.approx(1.0)
    assert box_iou(BODY, BODY + np.array([12.0, 0.0])) == pytest.approx(1 / 3)
    assert box_iou(BODY, BODY + np.array([30.0, 0.0])) == 0.0


def test_each_body_is_asked_of_one_anchor_in_one_cell():
    """The first body stands for C2 and is not asked for."""
    batch = anchor_batch([crop_with([(12.0, 12.0), (40.0, 40.0)])])

    assert np.argwhere(batch.positive.numpy()).tolist() == [[0, 0, 5, 5]]


def test_the_baseline_learns_and_detects():
    """A step on one image lowers the loss; an untrained network gives disjoint bodies or none."""
    torch.manual_seed(0)
    model = AnchorBoxDetector()
    batch = anchor_batch([crop_with([(12.0, 12.0), (40.0, 40.0)])] * 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(4):
        total = sum(anchor_loss(model, batch).values())
        assert isinstance(total, torch.Tensor)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))

    found = detect_by_boxes(model.eval(), np.zeros((64, 64), np.float32))

    assert losses[-1] < losses[0]
    assert all(body.score > 0.5 for body in found)


def test_without_the_ratio_all_bodies_weigh_alike():
    """The points of a crushed body of half the height count double by 1 / G."""
    body = np.array([[[-10, -8], [-10, 8]], [[0, -4], [0, 4]], [[10, -8], [10, 8]]], float)
    crop = crop_with([(200.0, 200.0), (32.5, 32.5)])
    crop.keypoints_px[1] = body + 32.5
    batch = detector_batch([crop])

    def zero(image: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(image), 14, image.shape[2] // 2, image.shape[3] // 2)

    weighted = detector_loss(zero, batch)["keypoints"]  # type: ignore[arg-type]
    even = detector_loss(zero, batch, by_ratio=False)["keypoints"]  # type: ignore[arg-type]

    assert float(weighted) == pytest.approx(2 * float(even))
