"""The picture of what the generators make."""

import numpy as np

from tests.evaluation.factories import empty_volume
from vfnode.training.contact_sheet import GAP_PX, WIDTH_PX, _lines, _row, views
from vfnode.training.synthetic.plane.degrade import AIR_HU


def test_a_volume_is_shown_in_three_planes_of_its_own():
    """40 slices of 2 mm, 21 x 21 pixels of 5 mm: 40 x 52 pixels of 2 mm, and 52 x 52."""
    shapes = [hu.shape for _, hu in views("CT", empty_volume())]

    assert shapes == [(40, 52), (40, 52), (52, 52)]


def test_long_rows_are_broken_and_nothing_is_lost():
    """Five images of 400 pixels: three fit in a line."""
    tiles = [(str(i), np.zeros((10, 400))) for i in range(5)]

    lines = _lines(tiles)

    assert [len(line) for line in lines] == [3, 2]
    assert sum(400 + GAP_PX for _ in lines[0]) <= WIDTH_PX


def test_air_is_black_and_bone_is_white():
    """The window is that of bone and soft tissue."""
    hu = np.full((20, 20), AIR_HU)
    hu[:, 10:] = 1500.0

    grey = np.asarray(_row([("", hu)]))[-20:, :20]

    assert grey[:, :10].max() == 0
    assert grey[:, 10:].min() == 255
