"""From the pixels' votes to vertebral bodies, and the committed weights on a drawn image."""

import numpy as np
import pytest
import torch
from torch import nn

from vfnode.errors import ModelError
from vfnode.inference.bundle import load_bundle, models_dir
from vfnode.inference.detect_vertebrae import DetectionLimits, detect_in_image
from vfnode.inference.model_input import normalise
from vfnode.training.figures import match
from vfnode.training.synthetic.plane.degrade import degrade
from vfnode.training.synthetic.plane.sagittal import draw_straightened

BODY = np.array([[[-12, -9], [-12, 9]], [[0, -8], [0, 8]], [[12, -9], [12, 9]]], float)


class VotesFor(nn.Module):
    """Stands in for the network: cells near given centres vote for a body there."""

    def __init__(self, centres_px: list[tuple[float, float]], radius_px: float) -> None:
        super().__init__()
        self.centres, self.radius = np.array(centres_px, float), radius_px

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        rows, columns = image.shape[2] // 2, image.shape[3] // 2
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) * 2 + 0.5 - 16
        output = np.zeros((1, 14, rows, columns), np.float32)
        output[0, 0] = -10
        for centre in self.centres:
            near = np.linalg.norm(grid - centre, axis=-1) < self.radius
            offsets = (centre + BODY - grid[near][:, None, None]) / 10
            output[0, 0][near] = 5
            output[0, 1:13, near] = offsets.reshape(-1, 12)
        return torch.from_numpy(output)


def test_votes_become_bodies_with_keypoints_in_image_millimetres():
    bodies = detect_in_image(
        np.zeros((120, 100), np.float32), 1.0, VotesFor([(50.0, 30.0), (52.0, 60.0)], 5.0)
    )

    assert len(bodies) == 2
    np.testing.assert_allclose(bodies[0].keypoints, BODY + np.array([50.0, 30.0]), atol=1e-4)
    assert bodies[1].spread_mm == pytest.approx(0, abs=1e-4)


def test_few_votes_are_no_vertebra():
    """A false disc or sacrum gets 6 to 9 votes, a body 15 to 25."""
    image = np.zeros((64, 64), np.float32)

    assert detect_in_image(image, 1.0, VotesFor([(30.0, 30.0)], 3.0)) == ()


def test_one_stray_vote_does_not_move_the_median():
    network = VotesFor([(40.0, 40.0)], 5.0)
    forward = network.forward

    class Stray(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            output = forward(image)
            row, column = torch.nonzero(output[0, 0] > 0)[0]
            output[0, 1:13, row, column] += 0.2
            return output

    bodies = detect_in_image(np.zeros((80, 80), np.float32), 1.0, Stray())

    np.testing.assert_allclose(bodies[0].keypoints, BODY + 40.0, atol=1e-4)


def test_an_unsure_best_pixel_is_no_vertebra():
    limits = DetectionLimits(objectness=0.999)

    found = detect_in_image(
        np.zeros((64, 64), np.float32), 1.0, VotesFor([(30.0, 30.0)], 5.0), limits=limits
    )

    assert found == ()


def test_normalisation_clips_air_and_metal():
    assert normalise(np.array([-1000, -200, 150, 800, 3000])) == pytest.approx(
        [-7 / 6, -7 / 6, 0.0, 13 / 6, 13 / 6]
    )


def test_the_committed_weights_find_the_bodies_of_a_drawn_image():
    """Drawn with a seed that training did not use."""
    try:
        loaded = load_bundle(models_dir() / "vertebrae")
    except ModelError as error:
        pytest.skip(f"no weights: {error}")
    rng = np.random.default_rng([424242, 3])
    sample = draw_straightened(rng, (300, 160))
    bodies = detect_in_image(degrade(rng, sample.hu, 1.0).hu, 1.0, loaded.model)

    found = np.array([body.keypoints for body in bodies])
    points = sample.keypoints_mm
    whole = ((points >= 0) & (points <= (159, 299))).all((1, 2, 3))
    pairs = match(found.mean((1, 2)), points.mean((1, 2)))
    hits = [(i, j) for i, j in pairs if bool(np.asarray(whole)[j])]

    assert len(hits) >= 0.9 * whole.sum()
    assert np.median([np.linalg.norm(found[i] - points[j], axis=-1).mean() for i, j in hits]) < 2.5
