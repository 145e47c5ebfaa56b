"""The second look's crop: its frame, there and back, and points found in the patient."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest
from vfnode.inference.model_input import CROP_DEPTHS, INPUTS
from vfnode.inference.refine_keypoints import crop_frames, refine_keypoints
from vfnode.networks.keypoint_refiner import CROP_PX, soft_argmax
from vfnode.spine.volume import CTVolume


def upright_body(depth_mm: float = 30.0, height_mm: float = 20.0) -> np.ndarray:
    """(1, 3, 2, 2) keypoints round the origin."""
    x = np.array([-0.5, 0.0, 0.5]) * depth_mm
    z = np.array([-0.5, 0.5]) * height_mm
    return np.stack(np.broadcast_arrays(x[:, None], z[None]), -1)[None]


class PointsAtCorners(nn.Module):
    """Stands in for the network: heat-maps that peak at fixed pixels."""

    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = torch.zeros(len(crop), 14, CROP_PX, CROP_PX)
        for channel, (x, z) in enumerate(self.pixels):
            maps[:, channel, z, x] = 100.0
        return maps, torch.full((len(crop),), 4.0)


def loaded(network: nn.Module) -> LoadedModel:
    done = INPUTS["keypoints"].normalisation
    manifest = ModelManifest(
        "keypoints", "keypoints", "keypoint_refiner", {}, (), (-200, 800), done, 0, "", {}, ""
    )
    return LoadedModel(network, manifest)


def test_the_crop_is_centred_on_the_body():
    frames = crop_frames(upright_body(depth_mm=30.0) + np.array([50.0, 80.0]))

    assert frames.centre[0] == pytest.approx([50, 80])
    assert frames.pixel_mm[0] * CROP_PX == pytest.approx(CROP_DEPTHS * 30)
    assert frames.posterior[0] == pytest.approx([1, 0])


def test_a_low_body_gets_the_same_scale_as_a_tall_one():
    """The heights are what is wrong: they must not set the scale."""
    tall, low = crop_frames(upright_body(height_mm=25)), crop_frames(upright_body(height_mm=8))

    assert tall.pixel_mm == pytest.approx(low.pixel_mm)


@given(
    turn=st.floats(-0.8, 0.8), x=st.floats(-100, 100), z=st.floats(-300, 300), k=st.floats(0.5, 2)
)
@settings(max_examples=40)
def test_there_and_back_is_the_identity(turn, x, z, k):
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    body = k * upright_body() @ rotation + [x, z]
    frames = crop_frames(body)

    np.testing.assert_allclose(frames.to_plane(frames.to_pixels(body)), body, atol=1e-9)
    # In its own crop every body stands upright, whatever its place, tilt and size.
    np.testing.assert_allclose(
        frames.to_pixels(body), crop_frames(upright_body()).to_pixels(upright_body()), atol=1e-6
    )


def test_points_found_in_the_crop_come_back_in_patient_coordinates():
    """So many pixels behind and below the centre, by the depth that the first look found."""
    volume = CTVolume(np.zeros((60, 60, 60), np.int16), _affine())
    first = _in_patient(upright_body()[0])[None]
    pixels = np.array([(24, 30), (24, 66), (48, 32), (48, 64), (72, 30), (72, 66)])

    points, spread, objectness = refine_keypoints(
        volume, first, np.array([[1.0, 0, 0]]), loaded(PointsAtCorners(pixels))
    )

    seen = (pixels - (CROP_PX - 1) / 2).reshape(3, 2, 2)
    pixel_mm = CROP_DEPTHS * 30 / CROP_PX
    depth_mm = (72 - 24) * pixel_mm
    centre_mm = seen.mean((0, 1)) * pixel_mm
    expected = _in_patient(centre_mm + seen * CROP_DEPTHS * depth_mm / CROP_PX)
    np.testing.assert_allclose(points[0], expected, atol=1e-3)
    assert spread[0] == pytest.approx(0, abs=0.05)
    assert objectness[0] == pytest.approx(0.982, abs=1e-3)


def test_without_bodies_there_is_nothing_to_refine():
    volume = CTVolume(np.zeros((2, 2, 2), np.int16), _affine())

    points, spread, objectness = refine_keypoints(
        volume, np.zeros((0, 3, 2, 3)), np.zeros((0, 3)), loaded(nn.Identity())
    )

    assert (points.shape, spread.shape, objectness.shape) == ((0, 3, 2, 3), (0, 3, 2), (0,))


def test_a_soft_argmax_points_at_the_middle_of_a_symmetric_peak():
    logits = torch.full((1, 20, 20), -50.0)
    logits[0, 7:10, 4:7] = 0.0

    point, spread = soft_argmax(logits)

    assert point[0].tolist() == pytest.approx([5, 8])
    assert float(spread) == pytest.approx((2 * 2 / 3) ** 0.5, abs=1e-3)


def _affine() -> np.ndarray:
    """k caudal, r posterior, c left; 1 mm."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    return affine


def _in_patient(points_mm: np.ndarray) -> np.ndarray:
    """(x posterior, z caudal) in the plane at left = 0 -> LPS."""
    zero = np.zeros(points_mm.shape[:-1])
    return np.stack([zero, points_mm[..., 0], -points_mm[..., 1]], -1)
