"""The drawn sagittal image: edges lie where the labels say."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vfnode.training.synthetic.anatomy import LEVELS, sample_column
from vfnode.training.synthetic.plane.bone import BodyPatch, draw_focus
from vfnode.training.synthetic.plane.degrade import degrade
from vfnode.training.synthetic.plane.polygon_canvas import Canvas, coverage
from vfnode.training.synthetic.plane.sagittal import draw_natural, draw_straightened
from vfnode.training.synthetic.plane.sagittal_curve import curve_through


def test_a_pixel_takes_the_share_of_its_area():
    """A box from 1.25 to 5.5 and 2 to 4.25: pixel 2 reaches from 1.5 to 2.5."""
    box = np.array([[1.25, 2.0], [5.5, 2.0], [5.5, 4.25], [1.25, 4.25]])

    share = coverage(box, (8, 8))

    assert share.sum() == pytest.approx(4.25 * 2.25)
    assert share[2, 1:7] == pytest.approx([0.125, 0.5, 0.5, 0.5, 0.5, 0.0])
    assert share[4, 2] == pytest.approx(0.75)


def test_a_circle_has_its_area_also_where_the_image_cuts_it():
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], -1) * 10

    whole = coverage(circle + 20, (40, 40)).sum()
    half = coverage(circle + np.array([-0.5, 20]), (40, 40)).sum()

    assert whole == pytest.approx(np.pi * 100, rel=1e-3)
    assert half == pytest.approx(np.pi * 50, rel=1e-3)


@pytest.mark.parametrize(("step_mm", "limit_mm"), [(0.25, 0.1), (0.5, 0.15), (1.0, 0.25)])
def test_drawn_edges_lie_on_the_labels(step_mm, limit_mm):
    """Along the middle segment the drawing crosses half its value at the keypoints.

    Within 0.1 mm; a coarse pixel blunts the tip of a V-shaped dent a little more.
    """
    rng = np.random.default_rng(4)
    wanted = {"T8": ("wedge", 0.6), "T11": ("biconcave", 0.5)}
    column = sample_column(rng, LEVELS[10:18], deformities=wanted)
    origin = np.array([-60.0, -140.0])
    shape = (int(280 / step_mm), int(120 / step_mm))
    for vertebra in column.vertebrae:
        canvas = Canvas(shape, step_mm, origin, lambda points: points, lambda points: points)
        canvas.fill(BodyPatch(vertebra).ring((0, 1), (0, 1)), 1000.0)
        top, bottom = vertebra.keypoints_mm[1]  # the corners' crossings are no plain edges
        found = [
            _half_crossing(canvas, start, end) for start, end in ((top, bottom), (bottom, top))
        ]

        assert max(found) < limit_mm


def test_a_requested_ratio_is_drawn():
    column = sample_column(
        np.random.default_rng(2), LEVELS[8:16], deformities={"T6": ("crush", 0.55)}
    )
    body = next(v for v in column.vertebrae if v.shape.level == "T6")
    heights = np.linalg.norm(body.keypoints_mm[:, 1] - body.keypoints_mm[:, 0], axis=-1)

    assert heights.min() / heights.max() == pytest.approx(0.55)


def test_unrolling_along_the_curve_and_back_is_the_identity():
    rng = np.random.default_rng(7)
    column = sample_column(rng, LEVELS)
    curve = curve_through(column, rng, 1.0)
    points = np.concatenate([v.keypoints_mm.reshape(-1, 2) for v in column.vertebrae])

    np.testing.assert_allclose(curve.to_natural(curve.to_unrolled(points)), points, atol=0.1)


def test_the_same_seed_draws_the_same_image():
    first, again = (draw_straightened(np.random.default_rng(5), (120, 100)) for _ in range(2))

    np.testing.assert_array_equal(first.hu, again.hu)
    np.testing.assert_array_equal(first.keypoints_mm, again.keypoints_mm)


def test_every_body_has_its_label_at_its_centre():
    sample = draw_natural(np.random.default_rng(1))
    centres = sample.keypoints_mm.mean((1, 2)) / sample.step_mm

    drawn = [sample.labels[round(z), round(x)] for x, z in centres]

    assert drawn == list(range(1, len(LEVELS) + 1))


@pytest.mark.parametrize("seed", range(4))
def test_degrading_moves_no_edge(seed):
    """A symmetric bar stays centred to a quarter of a millimetre under blur and thick slices."""
    image = np.zeros((161, 60), np.float32)
    image[60:101] = 1000

    worn = degrade(np.random.default_rng(seed), image, 0.5).hu
    profile = np.clip(worn.mean(1) - np.median(worn[:40]), 100, None) - 100

    assert (profile * np.arange(161)).sum() / profile.sum() == pytest.approx(80, abs=0.6)


def _half_crossing(canvas: Canvas, edge: np.ndarray, inside: np.ndarray) -> float:
    """Distance from `edge` to where the drawing reaches half, along the segment, mm."""
    direction = (inside - edge) / np.linalg.norm(inside - edge)
    along = np.arange(-3, 3, 0.01)
    points = (edge + along[:, None] * direction - canvas.origin_mm) / canvas.step_mm
    profile = map_coordinates(canvas.hu, points[:, ::-1].T, order=1)
    return float(abs(along[np.argmax(profile > 500)]))


class StrictGenerator(np.random.Generator):
    """Draws from no range whose ends are exchanged, as later versions of numpy do."""

    def uniform(self, low=0.0, high=1.0, size=None):
        assert np.all(np.asarray(low) <= np.asarray(high))
        return super().uniform(low, high, size)


def test_a_focus_fits_into_a_flat_body():
    """A crushed vertebra of a child's height once had a range that ended before it began."""
    rng = StrictGenerator(np.random.PCG64(np.random.SeedSequence(287)))
    column = sample_column(rng, LEVELS[1:4], deformities=dict.fromkeys(LEVELS[1:4], ("crush", 0.3)))
    flat = BodyPatch(min(column.vertebrae, key=lambda v: v.shape.heights_mm.mean()))
    canvas = Canvas((80, 80), 1.0, np.array([-40.0, -40.0]), lambda p: p, lambda p: p)

    draw_focus(canvas, rng, flat)

    assert flat.height_mm < 4.2
    assert np.ptp(canvas.hu) > 0
