"""What the second look is taught, and by which loss."""

import numpy as np
import pytest
import torch
from torch import nn

from vfnode.networks.keypoint_refiner import CROP_PX, FACING, KEYPOINTS
from vfnode.training.keypoints.batches import (
    UNKNOWN_PX,
    BodyCrop,
    RefinerBatch,
    random_body_crop,
    refiner_batch,
)
from vfnode.training.keypoints.drawn_columns import drawn_columns
from vfnode.training.keypoints.loss import refiner_loss


class Answers(nn.Module):
    """Stands in for the network: heat-maps that peak where it is told."""

    def __init__(self, points_px: torch.Tensor) -> None:
        super().__init__()
        self.points_px = points_px

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        line = torch.arange(CROP_PX, dtype=torch.float32)
        across = -((line - self.points_px[..., :1]) ** 2) / 4.5
        down = -((line - self.points_px[..., 1:]) ** 2) / 4.5
        points = down[..., :, None] + across[..., None, :]
        bodies = torch.zeros(len(crop), 2, CROP_PX, CROP_PX)
        return torch.cat([points, bodies], 1), torch.zeros(len(crop))


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> list[BodyCrop]:
    """Crops of bodies at random places of one column."""
    cache = drawn_columns(tmp_path_factory.mktemp("columns"), 1, 3)
    drawn = (random_body_crop(np.random.default_rng(seed), cache) for seed in range(80))
    return [crop for crop in drawn if crop.is_body]


def batch_of(heights_px: np.ndarray) -> RefinerBatch:
    """Bodies of such anterior, middle and posterior heights (n, 3) in crop pixels."""
    middle = CROP_PX / 2
    points = np.zeros((len(heights_px), KEYPOINTS + FACING, 2), np.float32)
    for column, x in enumerate((40, 64, 88)):
        for end, side in enumerate((-1, 1)):
            points[:, 2 * column + end] = np.stack(
                [np.full(len(heights_px), x), middle + side * heights_px[:, column] / 2], -1
            )
    points[:, KEYPOINTS:] = UNKNOWN_PX
    n = len(heights_px)
    return RefinerBatch(
        torch.zeros(n, 1, CROP_PX, CROP_PX),
        torch.from_numpy(points),
        torch.zeros(n, 2, CROP_PX, CROP_PX),
        torch.ones(n),
        torch.ones(n),
        torch.ones(n, 2, 1, 1),
    )


def bodies() -> np.ndarray:
    return np.random.default_rng(1).uniform(20, 44, (32, 3))


def test_the_facing_endplates_lie_beyond_the_bodys_own(crops):
    """The inferior one of the body above, and the superior one of that below."""
    for crop in crops:
        above, below = crop.facing_px[..., 1]
        assert not (above >= crop.points_px[:, 0, 1]).any()
        assert not (below <= crop.points_px[:, 1, 1]).any()


def test_the_last_body_has_no_neighbour_below(crops):
    """Its points are said to be unknown, and no others; C2, the first, is never read."""
    unknown = np.array([np.isnan(crop.facing_px).all((1, 2)) for crop in crops])
    partly = np.array([np.isnan(crop.facing_px).any((1, 2)) for crop in crops])

    assert unknown.any(0).tolist() == [False, True]
    assert (unknown == partly).all()
    assert unknown.mean() < 0.2
    batch = refiner_batch(crops)
    told = (batch.points_px[:, KEYPOINTS:] == UNKNOWN_PX).reshape(-1, 2, 6).all(-1).numpy()
    assert (told == unknown).all()


def test_what_is_not_known_teaches_nothing():
    """A wrong answer where there is no neighbour costs nothing."""
    batch = batch_of(bodies())
    wrong = batch.points_px.clone()
    wrong[:, KEYPOINTS:] = 100.0

    there, elsewhere = (refiner_loss(Answers(points), batch) for points in (batch.points_px, wrong))

    assert there == {name: pytest.approx(value) for name, value in elsewhere.items()}


def test_heights_drawn_towards_the_usual_cost_more_than_noise_of_the_same_size():
    """Else the loss is least where every doubtful body is called nearly normal."""
    heights = bodies()
    batch = batch_of(heights)
    shrunk = 32 + 0.5 * (heights - 32)
    noise = np.random.default_rng(2).normal(0, np.abs(shrunk - heights).mean(), heights.shape)

    exact, mild, noisy = (
        float(refiner_loss(Answers(batch_of(told).points_px), batch)["shrinkage"])
        for told in (heights, shrunk, heights + noise)
    )

    assert exact == pytest.approx(0, abs=0.01)
    assert mild > 0.5
    assert mild > 3 * noisy


def test_a_handful_of_bodies_has_no_slope():
    batch = batch_of(bodies()[:4])

    loss = refiner_loss(Answers(batch.points_px + 5), batch)

    assert float(loss["shrinkage"]) == 0
