"""Processes beside the training change how fast it goes, and nothing else."""

from itertools import islice

import numpy as np
import pytest

from vfnode.training.keypoints.drawn_columns import drawn_columns
from vfnode.training.parallel import batch_stream, in_order
from vfnode.training.vertebrae.drawn_images import drawn_images


def squared(step: int) -> np.ndarray:
    return np.full(3, step**2)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_the_order_of_their_steps(workers):
    """From the step on that a resumed run has reached."""
    stream = batch_stream(squared, 7, workers)

    found = [int(batch[0]) for batch in islice(stream, 20)]

    assert found == [step**2 for step in range(7, 27)]


def fails_at_three(index: int) -> int:
    if index == 3:
        raise ValueError(index)
    return index


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_process_ends_the_drawing(workers):
    with pytest.raises(ValueError, match="3"):
        list(in_order(fails_at_three, range(8), workers))


def test_two_processes_draw_what_one_does(tmp_path):
    alone = drawn_columns(tmp_path / "alone", 2, 5)
    together = drawn_columns(tmp_path / "together", 2, 5, workers=2)

    for index in range(2):
        one, other = alone.read(index), together.read(index)
        np.testing.assert_array_equal(one.hu, other.hu)
        np.testing.assert_array_equal(one.keypoints_mm, other.keypoints_mm)


def test_a_cache_goes_on_with_processes_where_it_was_left(tmp_path):
    """The first two images stay; the next two are those of their own seeds."""
    whole = drawn_images(tmp_path / "whole", 3, 5)
    home = tmp_path / "cut"
    drawn_images(home, 3, 5)
    done = next(home.glob("*/done.txt"))
    done.write_text("1")

    resumed = drawn_images(home, 3, 5, workers=2)

    assert done.read_text() == "3"
    np.testing.assert_array_equal(resumed.hu, whole.hu)
    np.testing.assert_array_equal(resumed.keypoints_px, whole.keypoints_px)
