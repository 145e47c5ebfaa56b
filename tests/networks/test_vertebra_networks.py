"""Shapes and sizes of the detector and of the second look."""

import pytest
import torch

from vfnode.networks.keypoint_refiner import CROP_PX, FACING, KEYPOINTS, KeypointRefiner
from vfnode.networks.vertebra_detector import MULTIPLE, STRIDE, VertebraDetector


@pytest.mark.parametrize(("rows", "columns"), [(64, 48), (96, 176)])
def test_the_detector_answers_at_half_resolution(rows, columns):
    assert rows % MULTIPLE == columns % MULTIPLE == 0

    output = VertebraDetector().eval()(torch.zeros(2, 1, rows, columns))

    assert output.shape == (2, 14, rows // STRIDE, columns // STRIDE)


def test_an_untrained_detector_expects_few_vertebrae():
    bias = VertebraDetector().state_dict()["head.bias"]

    assert float(bias[0].sigmoid()) < 0.1


def test_the_second_look_answers_for_every_pixel_and_once_for_the_crop():
    maps, objectness = KeypointRefiner().eval()(torch.zeros(3, 1, CROP_PX, CROP_PX))

    assert maps.shape == (3, KEYPOINTS + FACING + 2, CROP_PX, CROP_PX)
    assert objectness.shape == (3,)


@pytest.mark.parametrize(
    ("network", "limit"), [(VertebraDetector(), 0.84e6), (KeypointRefiner(), 1.6e6)]
)
def test_the_networks_stay_small_enough_for_a_repository(network, limit):
    assert sum(parameter.numel() for parameter in network.parameters()) < limit
