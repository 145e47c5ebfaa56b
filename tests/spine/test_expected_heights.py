"""What a body should measure follows from its neighbours, fractured ones too."""

import json
from pathlib import Path

import numpy as np
import pytest

from vfnode.spine.expected_heights import FEWEST, LevelProfile, expected_heights

PROFILE = LevelProfile.from_dict(
    json.loads((Path(__file__).parents[2] / "models/judgement/levels.json").read_text("utf-8"))
)
NAMES = (*(f"T{n}" for n in range(3, 13)), "L1", "L2")
ERROR_MM = np.full((len(NAMES), 3), 0.5)


def healthy(size: float = 1.0, seed: int = 0) -> np.ndarray:
    """A spine of usual proportions, each height 2 % off."""
    rows = [PROFILE.names.index(name) for name in NAMES]
    noise = np.random.default_rng(seed).normal(0, 0.02, (len(NAMES), 3))
    return np.asarray(size * PROFILE.heights_mm[rows] * np.exp(noise))


def expected(heights_mm: np.ndarray, telling: np.ndarray | None = None) -> np.ndarray:
    """Expected over true healthy heights (n, 3)."""
    every = np.ones(len(heights_mm), bool)
    found = expected_heights(
        PROFILE, NAMES, heights_mm, ERROR_MM, every if telling is None else telling
    )
    return np.array([one.heights_mm for one in found if one is not None])


@pytest.mark.parametrize("size", [0.8, 1.0, 1.25])
def test_a_healthy_body_is_what_its_neighbours_say(size):
    """Within 6 %, whatever the size of the person."""
    heights = healthy(size)

    assert expected(heights) / heights == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("share", [0.75, 0.6, 0.5])
@pytest.mark.parametrize("level", ["T5", "T9", "L2"])
def test_a_uniform_crush_does_not_pull_down_what_is_expected_of_it(level, share):
    """Its own heights are not asked; its neighbours' are."""
    heights = healthy()
    crushed = heights.copy()
    crushed[NAMES.index(level)] *= share

    assert expected(crushed) / heights == pytest.approx(1.0, abs=0.08)


def test_three_fractures_in_a_row_do_not_hide_each_other():
    """Bodies that lie far from what the others say lose weight."""
    heights = healthy()
    crushed = heights.copy()
    crushed[4:7] *= 0.65

    lost = crushed / expected(crushed)

    assert lost[4:7].max() < 0.74
    assert np.delete(lost, [4, 5, 6], 0).min() > 0.88


def test_a_body_that_tells_nothing_is_not_asked():
    """A cut body looks low, one with cement looks high; both get an expectation."""
    heights = healthy()
    cut = heights.copy()
    cut[-1] *= 0.3
    telling = np.ones(len(NAMES), bool)
    telling[-1] = False

    assert expected(cut, telling) / heights == pytest.approx(1.0, abs=0.08)


def test_too_few_bodies_say_nothing():
    """Two or three bodies could all be fractured."""
    heights = healthy()[:FEWEST]
    found = expected_heights(
        PROFILE, NAMES[:FEWEST], heights, ERROR_MM[:FEWEST], np.ones(FEWEST, bool)
    )

    assert found == (None,) * FEWEST


def test_what_has_no_proportions_has_no_expectation():
    """Sacrum, axis; the others are predicted without it."""
    names = ("C2", *NAMES)
    heights = np.vstack([[20.0, 20.0, 20.0], healthy()])
    every = np.ones(len(names), bool)

    found = expected_heights(PROFILE, names, heights, np.full(heights.shape, 0.5), every)

    assert found[0] is None
    assert all(one is not None for one in found[1:])


def test_the_middle_of_the_thorax_is_usually_wedged():
    """Medians of the published annotation: an eighth at T6 and T7, L3 level."""
    assert PROFILE.usual_wedging("T7") == pytest.approx(0.87, abs=0.02)
    assert PROFILE.usual_wedging("L3") == pytest.approx(1.0, abs=0.03)
    assert PROFILE.usual_wedging("L5") > 1.1
