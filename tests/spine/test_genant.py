"""Genant's grades, by hand."""

import numpy as np
import pytest

from vfnode.errors import GeometryError
from vfnode.spine.genant import (
    Deformity,
    Endplate,
    GenantGrade,
    GenantLimits,
    deformity,
    height_loss_posterior,
    height_ratio,
    hollow_endplate,
    ratio_in_itself,
    ratio_to_expected,
)


@pytest.mark.parametrize(
    ("anterior_mm", "grade"),
    [
        (25.0, GenantGrade.NORMAL),
        (20.1, GenantGrade.NORMAL),
        (20.0, GenantGrade.MILD),  # 20/25: on the limit
        (18.6, GenantGrade.MILD),
        (18.5, GenantGrade.MODERATE),  # 18.5/25 = 0.74
        (15.1, GenantGrade.MODERATE),
        (15.0, GenantGrade.SEVERE),
    ],
)
def test_a_wedge_on_a_limit_takes_the_higher_grade(anterior_mm, grade):
    """The limits belong to the worse side."""
    ratio = height_ratio(np.array([anterior_mm, 25.0, 25.0]))

    assert GenantGrade.from_height_ratio(ratio) is grade


def test_a_site_may_set_its_own_limits():
    """A stricter site grades at smaller losses."""
    limits = GenantLimits(mild=0.85, moderate=0.75, severe=0.6)

    assert GenantGrade.from_height_ratio(0.84, limits) is GenantGrade.MILD


def test_limits_out_of_order_are_refused():
    """Mild must come before moderate."""
    with pytest.raises(GeometryError, match="mild to severe"):
        GenantLimits(mild=0.6, moderate=0.74, severe=0.8)


@pytest.mark.parametrize(
    ("heights_mm", "kind"),
    [
        ((15.0, 20.0, 25.0), Deformity.WEDGE),
        ((15.0, 14.5, 25.0), Deformity.WEDGE),  # the front is lost too
        ((24.0, 16.0, 25.0), Deformity.BICONCAVE),
        ((24.0, 20.0, 16.0), Deformity.CRUSH),  # the back is lost
        ((15.0, 13.5, 15.0), Deformity.CRUSH),  # all is lost alike
        ((17.0, 17.0, 20.0), Deformity.CRUSH),  # the back too, less than the front
    ],
)
def test_the_deformity_is_named_by_what_each_part_lost(heights_mm, kind):
    """Against a body of 25, 22.5 and 25 mm."""
    assert deformity(np.array(heights_mm), np.array([25.0, 22.5, 25.0])) is kind


def test_an_l5_that_is_lower_behind_is_no_crush():
    """It is what the level is like."""
    expected = np.array([29.0, 26.0, 24.5])

    assert ratio_in_itself(np.array([29.0, 26.0, 24.5]), 29 / 24.5) > 0.85
    assert ratio_to_expected(expected, expected) == 1.0


@pytest.mark.parametrize(
    ("heights_mm", "usual_wedging", "ratio"),
    [
        ((20.0, 22.0, 25.0), 1.0, 0.80),
        ((20.0, 23.0, 25.0), 0.81, 0.80 / 0.9),  # half of the usual wedging is excused
        ((25.0, 18.0, 25.0), 0.81, 0.72),  # a dent is no wedge
        ((22.0, 27.0, 22.0), 1.0, 1.0),  # a body that bulges in the middle lost nothing
        ((25.0, 22.0, 20.0), 1.0, 0.80),  # lower behind
    ],
)
def test_the_loss_in_itself_excuses_half_of_what_is_usual_at_the_level(
    heights_mm, usual_wedging, ratio
):
    """T6 and T7 of healthy people are an eighth lower in front."""
    assert ratio_in_itself(np.array(heights_mm), usual_wedging) == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("depths", "endplate"),
    [
        ((6.0, 1.0), Endplate.SUPERIOR),
        ((1.0, 6.0), Endplate.INFERIOR),
        ((4.0, 3.0), Endplate.BOTH),
    ],
)
def test_a_biconcave_body_says_which_endplate_is_hollow(depths, endplate):
    """Depth of each endplate's middle below the line of its corners, mm."""
    points = np.zeros((3, 2, 3))
    points[:, :, 1] = np.array([0.0, 15.0, 30.0])[:, None]
    points[:, 0, 2] = [25.0, 25.0 - depths[0], 25.0]
    points[:, 1, 2] = [0.0, depths[1], 0.0]

    assert hollow_endplate(points) is endplate


@pytest.mark.parametrize(
    ("first", "last"), [("C2", "L4"), ("L1", "T4"), ("T4", "L9"), ("unknown", "L4")]
)
def test_levels_that_cannot_be_graded_are_refused(first, last):
    """C1 and C2 never; from above down; known levels."""
    with pytest.raises(GeometryError):
        GenantLimits(first_level=first, last_level=last)


def test_the_two_definitions_of_loss_differ_where_the_front_is_tallest():
    """Both are reported, so both must mean what they say."""
    heights = np.array([26.0, 20.0, 25.0])

    assert height_ratio(heights) == pytest.approx(20 / 26)
    assert height_loss_posterior(heights) == pytest.approx(0.2)


@pytest.mark.parametrize("bad", [0.0, -3.0, float("nan")])
def test_heights_that_cannot_be_are_refused(bad):
    """No grade is better than a wrong one."""
    with pytest.raises(GeometryError, match="positive"):
        height_ratio(np.array([bad, 20.0, 20.0]))
