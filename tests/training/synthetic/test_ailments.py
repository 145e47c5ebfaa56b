"""Disease, metal and disturbance in the drawn CT."""

from dataclasses import replace

import numpy as np
import pytest

from vfnode.training.synthetic.ailments import HEALTHY, Ailments, paint_ailments, sample_ailments
from vfnode.training.synthetic.anatomy import LEVELS
from vfnode.training.synthetic.artefacts import add_motion, add_streaks
from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import Spine, sample_spine
from vfnode.training.synthetic.scene import sample_scene
from vfnode.training.synthetic.surroundings import paint_surroundings
from vfnode.training.synthetic.voxel_canvas import Canvas

LOOK = BoneLook(trabecular_hu=150, cortex_hu=900, cortex_mm=1.0, disc_hu=80, texture_hu=0)
BODY = LEVELS.index("T10")


@pytest.fixture(scope="module")
def spine() -> Spine:
    return sample_spine(np.random.default_rng(8), natural=True)


def drawn(spine: Spine, ailments: Ailments) -> Canvas:
    """The ailments alone around T10, on tissue of 0 HU."""
    centre = spine.vertebrae[BODY].origin_mm
    canvas = Canvas.covering(centre - 55, centre + 55, (1.0, 1.0, 1.0))
    canvas.hu[:] = 0
    paint_ailments(canvas, spine, LOOK, ailments, np.random.default_rng(1))
    return canvas


@pytest.mark.parametrize(
    ("ailments", "lowest_hu"),
    [
        (Ailments(bridge=(BODY - 1, BODY + 1)), 400),
        (Ailments(fused=frozenset({BODY})), 150),
        (Ailments(dense_plates=frozenset({(BODY, 0)})), 200),
        (Ailments(nodes=frozenset({(BODY, 1)})), 70),
        (Ailments(metastases=((BODY, 800.0),)), 500),
        (Ailments(rods=(BODY, BODY + 1)), 2500),
    ],
)
def test_each_ailment_is_drawn_near_its_body(spine, ailments, lowest_hu):
    """Nothing else is on the canvas, so what is bright is the ailment, near T10."""
    canvas = drawn(spine, ailments)

    bright = np.argwhere(canvas.hu > lowest_hu)
    places = canvas.to_volume().to_patient(bright.astype(float))
    assert len(bright) > 3
    assert np.linalg.norm(places - spine.vertebrae[BODY].origin_mm, axis=1).min() < 30


def test_a_metastasis_stays_inside_its_body(spine):
    """Endplates, and with them the labels, stay where they are."""
    canvas = drawn(spine, Ailments(metastases=((BODY, 800.0),)))

    places = canvas.to_volume().to_patient(np.argwhere(canvas.hu > 100).astype(float))
    vertebra = spine.vertebrae[BODY]
    own = (places - vertebra.origin_mm) @ vertebra.axes
    points = vertebra.shape.keypoints_mm
    assert points[:, 0, 1].max() < own[:, 2].min()
    assert own[:, 2].max() < points[:, 1, 1].min()


def test_the_ordinary_patient_of_the_demo_is_healthy_and_undisturbed():
    """Known fractures must not be found beside drawn disease."""
    scene = sample_scene(3, deformities={}, ordinary=True)

    assert scene.ailments == HEALTHY
    assert not scene.disturbed


def test_over_many_patients_every_ailment_occurs():
    """What is never drawn is never learned."""
    patients = [sample_ailments(np.random.default_rng(seed), len(LEVELS)) for seed in range(300)]

    for field in ("bridge", "fused", "dense_plates", "nodes", "metastases", "rods"):
        share = np.mean([bool(getattr(patient, field)) for patient in patients])
        assert 0.01 < share < 0.6, field


def test_streaks_leave_slices_without_metal_alone():
    """Rays run within the slices that hold metal."""
    canvas = Canvas.covering(np.zeros(3), np.full(3, 40.0), (2.0, 1.0, 1.0))
    canvas.hu[:] = 0
    canvas.hu[5, 18:24, 18:24] = 3000

    add_streaks(canvas, np.random.default_rng(1))

    assert np.abs(canvas.hu[5, 0]).max() > 5
    assert not np.delete(canvas.hu, 5, 0).any()


def test_motion_shows_one_slab_twice():
    """In some CT a slab is doubled; all other slices stay as they were."""
    block = np.zeros((30, 40, 40), np.float32)
    block[:, 15:25, 15:25] = 100
    moved = []
    for seed in range(40):
        canvas = Canvas(block.copy(), (0.0, 0.0, 0.0), (2.0, 1.0, 1.0))
        add_motion(canvas, np.random.default_rng(seed))
        moved.append(int((canvas.hu != block).any((1, 2)).sum()))

    assert 0 < sum(count > 0 for count in moved) < 20
    assert max(moved) <= 16


def test_clothes_lie_outside_the_skin():
    """Only air around the trunk is drawn over."""
    scene = replace(sample_scene(4), ailments=HEALTHY)
    z = scene.spine.z_of(13.0)
    outline = scene.trunk.at(z)
    x, middle = outline["x"], (outline["front"] + outline["back"]) / 2
    low, high = np.array([x - 40, middle - 20, z - 20]), np.array([x + 40, middle + 20, z + 20])
    canvas = Canvas.covering(low, high, (4.0, 4.0, 4.0))

    paint_surroundings(canvas, scene.spine, scene.trunk, np.random.default_rng(2))

    assert (canvas.hu == -1000).all()
