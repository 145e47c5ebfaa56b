"""The judgement of a spine: who is graded, by which error, with which probability."""

import numpy as np
import pytest

from tests.factories import make_volume
from vfnode.errors import ModelError
from vfnode.inference.bodies import Bodies, LevelNames
from vfnode.inference.bundle import models_dir
from vfnode.inference.judge import axial_thickness_mm, load_judge
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume

NAMES = tuple(f"T{n}" for n in range(3, 10))


def column(share: float = 1.0, spread_mm: float = 0.6) -> Bodies:
    """T3 to T9 of usual proportions, T6 lowered to a share of its height over its whole depth."""
    profile = load_judge((models_dir(),), GenantLimits()).profile
    tops, points = 0.0, []
    for name in NAMES:
        heights = profile.heights_mm[profile.names.index(name)] * (share if name == "T6" else 1.0)
        body = np.zeros((3, 2, 3))
        body[:, :, 1] = np.array([-12.0, 0.0, 12.0])[:, None]
        body[:, 0, 2] = tops - (heights.max() - heights) / 2
        body[:, 1, 2] = body[:, 0, 2] - heights
        points.append(body)
        tops -= heights.max() + 4.0
    count = len(NAMES)
    levels = LevelNames(NAMES, NAMES, tuple((name,) for name in NAMES), np.ones(count))
    spread = np.full((count, 3, 2), spread_mm)
    placed = np.array(points) + np.array([0.0, 0.0, 90.0])
    return Bodies(placed, np.ones(count), spread, levels)


def volume() -> CTVolume:
    """Room for the column, axial slices of 2.5 mm."""
    return make_volume((80, 64, 48), (2.5, 1.5, 1.5))


@pytest.fixture(scope="module")
def judge():
    return load_judge((models_dir(),), GenantLimits())


def test_healthy_bodies_are_graded_and_hardly_fractured(judge):
    """T4 to T9; T3 is outside the graded levels."""
    judged = judge.judge(volume(), column())

    assert [one.withheld for one in judged] == [Reason.OUTSIDE_GRADED_LEVELS, *[None] * 6]
    assert judged[0].probability_moderate is None
    assert max(one.probability_moderate or 0.0 for one in judged) < 0.1


def test_a_uniform_crush_is_seen_and_its_neighbours_are_not_blamed(judge):
    """Half of its height: no part of it is low beside another."""
    judged = judge.judge(volume(), column(0.5))
    crushed, others = judged[3], [*judged[1:3], *judged[4:]]

    assert crushed.probability_moderate is not None
    assert crushed.probability_moderate > 0.9
    assert not crushed.is_borderline
    assert max(one.probability_moderate or 0.0 for one in others) < 0.1


def test_what_the_image_hardly_shows_is_withheld(judge):
    """Heat-maps that spread over several millimetres."""
    judged = judge.judge(volume(), column(spread_mm=6.0))

    assert {one.withheld for one in judged[1:]} == {Reason.UNCERTAIN_KEYPOINTS}
    assert all(one.probability_moderate is None for one in judged)


@pytest.mark.parametrize(("tilt_degrees", "thickness_mm"), [(0, 2.5), (90, 1.5), (30, 2.29)])
def test_the_thickness_that_counts_is_that_along_the_body(tilt_degrees, thickness_mm):
    """Slices of 2.5 mm, pixels of 1.5 mm."""
    turn = np.deg2rad(tilt_degrees)
    rotation = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    points = column().keypoints_mm[:1]
    tilted = (points - points.mean((1, 2))) @ rotation.T

    assert axial_thickness_mm(volume(), tilted) == pytest.approx([thickness_mm], abs=0.01)


def test_a_judgement_that_is_missing_or_damaged_is_an_error(tmp_path):
    """Said by path."""
    with pytest.raises(ModelError, match="no judgement"):
        load_judge((tmp_path,), GenantLimits())
    (tmp_path / "judgement").mkdir()
    with pytest.raises(ModelError, match=r"levels\.json"):
        load_judge((tmp_path,), GenantLimits())
