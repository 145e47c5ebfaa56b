"""What a study says: present, absent only where all was seen, else undetermined."""

from typing import Any

import numpy as np
import pytest

from vfnode.spine.conclusion import Presence, conclude
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport
from vfnode.spine.vertebra import VertebralLevel


def finding(level: str, z_mm: float, anterior_mm: float = 24.0, **more: Any) -> VertebraFinding:
    """A body of 25 mm, lower in front."""
    points = np.zeros((3, 2, 3))
    points[:, :, 1] = np.array([0.0, 15.0, 30.0])[:, None]
    points[:, 1, 2] = z_mm - np.array([anterior_mm, 25.0, 25.0])
    points[:, 0, 2] = z_mm
    return VertebraFinding(
        VertebralLevel(level), 1.0, 0.9, points, points[..., 1:], np.full(3, 0.5), **more
    )


def spine(*bodies: VertebraFinding) -> FractureReport:
    return FractureReport((), None, bodies)


def column(*levels: str) -> list[VertebraFinding]:
    return [finding(level, -30.0 * i) for i, level in enumerate(levels)]


def test_absent_where_every_graded_level_in_view_was_graded_and_is_normal():
    """Levels that nobody grades hide nothing."""
    bodies = column("T3", "T4", "T5")
    bodies[0] = finding("T3", 0.0, withheld=Reason.OUTSIDE_GRADED_LEVELS)

    said = conclude(spine(*bodies))

    assert said.answer is Presence.ABSENT
    assert said.graded == (1, 2)


def test_bodies_cut_by_the_ends_of_the_images_are_not_in_view():
    """Every CT ends somewhere."""
    bodies = column("T7", "T8", "T9")
    bodies[2] = finding("T9", -60.0, withheld=Reason.CUT_VERTEBRA)

    assert conclude(spine(*bodies)).answer is Presence.ABSENT


@pytest.mark.parametrize("reason", [Reason.UNCERTAIN_KEYPOINTS, Reason.METAL, Reason.CUT_VERTEBRA])
def test_a_body_that_is_not_graded_may_hide_a_fracture(reason):
    """Said with its reason; never absent."""
    bodies = column("T7", "T8", "T9")
    bodies[1] = finding("T8", -30.0, withheld=reason)

    said = conclude(spine(*bodies))

    assert said.answer is Presence.UNDETERMINED
    assert said.hidden == (reason,)


def test_a_level_that_was_not_found_may_hide_a_fracture():
    """A crushed body may be what the detector missed."""
    said = conclude(spine(*column("T7", "T9", "T10")))

    assert said.answer is Presence.UNDETERMINED
    assert said.hidden == (Reason.BODY_NOT_FOUND,)


def test_bodies_without_names_that_lie_far_apart_have_a_gap_between_them():
    """Distance tells where names do not."""
    bodies = [finding("unknown", z) for z in (0.0, -30.0, -60.0, -120.0, -150.0)]

    assert conclude(spine(*bodies)).hidden == (Reason.BODY_NOT_FOUND,)


def test_a_missing_level_outside_the_graded_ones_hides_nothing():
    """Nobody would have graded T2; most people lack T13."""
    bodies = column("T1", "T3", "T4", "T5")
    for i in (0, 1):
        bodies[i] = finding(("T1", "T3")[i], -30.0 * i, withheld=Reason.OUTSIDE_GRADED_LEVELS)

    assert conclude(spine(*bodies)).answer is Presence.ABSENT
    assert conclude(spine(*column("T12", "L1"))).answer is Presence.ABSENT


def test_mild_is_neither_absent_nor_present():
    """A deformity of which nobody knows whether it is a fracture."""
    bodies = column("T7", "T8")
    bodies[0] = finding("T7", 0.0, 19.5)

    said = conclude(spine(*bodies))

    assert said.answer is Presence.UNDETERMINED
    assert said.mild == (0,)


def test_borderline_is_neither_absent_nor_present():
    """Its error holds the limit."""
    bodies = column("T7", "T8")
    bodies[0] = finding("T7", 0.0, 18.0, probability_moderate=0.6, is_borderline=True)

    said = conclude(spine(*bodies))

    assert said.answer is Presence.UNDETERMINED
    assert said.borderline == (0,)
    assert said.is_positive


def test_one_fracture_is_enough_whatever_else_is_hidden():
    """Present, and positive."""
    bodies = column("T7", "T9")
    bodies[0] = finding("T7", 0.0, 17.0, probability_moderate=0.97)

    said = conclude(spine(*bodies))

    assert said.answer is Presence.PRESENT
    assert said.fractures == (0,)


def test_a_refusal_determines_nothing():
    """No spine in the images."""
    said = conclude(FractureReport((), None, (), reason=Reason.NO_SPINE))

    assert said.answer is Presence.UNDETERMINED
    assert said.hidden == (Reason.NO_SPINE,)
