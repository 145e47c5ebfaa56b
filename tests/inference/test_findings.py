"""Which of two looks at a body stands."""

import numpy as np
import pytest

from tests.inference.test_withhold import body
from vfnode.inference.findings import Bodies, where_doubtful
from vfnode.inference.withhold import UNCERTAIN_MM


def bodies(*points: np.ndarray, uncertainty_mm: float = 0.5) -> Bodies:
    """Bodies of one uncertainty."""
    count = len(points)
    return Bodies(np.array(points), np.full(count, 0.9), np.full(count, uncertainty_mm))


def test_the_second_look_stands_where_nothing_is_doubtful():
    """It is the better one."""
    second = bodies(body(25), body(0))

    found = where_doubtful(second, bodies(body(25, 19), body(0, 19), uncertainty_mm=1.0))

    assert found.keypoints_mm == pytest.approx(second.keypoints_mm)
    assert found.uncertainty_mm == pytest.approx([0.5, 0.5])


def test_bodies_that_the_second_look_measured_into_each_other_stay_as_first_seen():
    """With the first look's own uncertainty; the third body is not touched."""
    second = bodies(body(25, 26), body(0, 30), body(-27))
    first = bodies(body(25, 19), body(0, 18), body(-27, 17), uncertainty_mm=1.0)

    found = where_doubtful(second, first)

    assert found.keypoints_mm[:2] == pytest.approx(first.keypoints_mm[:2])
    assert found.keypoints_mm[2] == pytest.approx(second.keypoints_mm[2])
    assert found.uncertainty_mm == pytest.approx([1.0, 1.0, 0.5])


def test_an_uncertain_second_look_gives_way():
    """Its heat-maps are spread beyond what is graded."""
    first = bodies(body(0, 18), uncertainty_mm=1.0)

    found = where_doubtful(bodies(body(0), uncertainty_mm=UNCERTAIN_MM + 0.1), first)

    assert found.keypoints_mm == pytest.approx(first.keypoints_mm)
