"""Genant's grades, by hand."""

import numpy as np
import pytest

from vfnode.errors import GeometryError
from vfnode.spine.genant import (
    Deformity,
    GenantGrade,
    GenantLimits,
    deformity,
    height_loss_posterior,
    height_ratio,
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
        ((24.0, 23.0, 25.0), Deformity.NONE),
        ((15.0, 20.0, 25.0), Deformity.WEDGE),
        ((15.0, 14.5, 25.0), Deformity.WEDGE),  # the front is lost too
        ((24.0, 16.0, 25.0), Deformity.BICONCAVE),
        ((24.0, 20.0, 16.0), Deformity.CRUSH),
    ],
)
def test_the_deformity_is_named_by_the_part_that_lost_height(heights_mm, kind):
    """Wedge in front, biconcave in the middle, crush at the back."""
    assert deformity(np.array(heights_mm)) is kind


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
