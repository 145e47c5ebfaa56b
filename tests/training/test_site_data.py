"""Training on a site's own read CT."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.evaluation.factories import box
from tests.training.factories import MIDDLES_MM, phantom, write_reference
from vfnode.cli.train import _recipe
from vfnode.cli.training_data import site_data
from vfnode.errors import TrainingError, UnreadableInputError
from vfnode.inference.bundle import load_bundle
from vfnode.spine.volume import CTVolume
from vfnode.training.cards import _data
from vfnode.training.keypoints.batches import refiner_batch
from vfnode.training.keypoints.recipe import KeypointsSizes, keypoints_recipe
from vfnode.training.keypoints.site_bodies import SiteBodies, body_cuts
from vfnode.training.run import TrainingOptions, blend_into, train_bundle
from vfnode.training.site_data import Fold, ReadSpine, facts
from vfnode.training.vertebrae.batches import detector_batch
from vfnode.training.vertebrae.recipe import VertebraeSizes, vertebrae_recipe
from vfnode.training.vertebrae.site_images import SiteImages, sagittal_looks


def spine(unread: int = 0) -> ReadSpine:
    """The phantom; of its last `unread` bodies only the place is known."""
    hu, ras = phantom()
    to_lps = np.diag([-1.0, -1, 1, 1])
    bodies = np.array([box(z) for z in MIDDLES_MM])
    split = len(bodies) - unread
    centres = bodies[split:].mean((1, 2)).reshape(-1, 3)
    return ReadSpine(CTVolume(hu, to_lps @ ras), bodies[:split], centres, None)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_reference(tmp_path_factory.mktemp("site"))


def test_folds_share_out_every_patient_once():
    """Five folds of twelve patients are disjoint and hold all of them."""
    patients = [f"patient {i}" for i in range(12)]

    folds = [Fold(number, 5).patients(patients) for number in range(1, 6)]

    assert sorted(name for fold in folds for name in fold) == sorted(patients)
    assert {len(fold) for fold in folds} == {2, 3}


@pytest.mark.parametrize("text", ["0/5", "6/5", "1", "a/b", "1/"])
def test_a_fold_that_does_not_exist_is_refused(text):
    """The error shows how a fold is written."""
    with pytest.raises(TrainingError, match="1/5"):
        Fold.parse(text)


def test_read_points_stay_on_the_bone_of_the_straightened_image():
    """Just inside the read points is bone, just outside is none, on every look."""
    for look in sagittal_looks(spine(), np.random.default_rng(1)):
        for points in look.keypoints_px:
            middle = points.mean((0, 1))
            for factor, bone in ((0.8, True), (1.25, False)):
                columns, rows = np.round(middle + factor * (points - middle)).astype(int).T
                assert ((look.hu[rows, columns] > 180) == bone).all()


def test_what_nobody_read_is_neither_asked_for_nor_forbidden():
    """Beyond the read bodies no cell counts; at a body without keypoints neither."""
    images = SiteImages(sagittal_looks(spine(unread=1), np.random.default_rng(1)))
    crop = images.random_crop(np.random.default_rng(2), (128, 96))

    batch = detector_batch([crop])

    last = crop.keypoints_px[1, :, 1, 1].max()
    unread = crop.keypoints_px[2].mean((0, 1))
    assert batch.counted[0, int(last + 8) // 2 :].sum() == 0
    assert batch.counted[0, int(unread[1]) // 2, int(unread[0]) // 2] == 0
    assert batch.counted.sum() > 0
    assert batch.positive.sum() > 0


def test_bodies_are_cut_with_their_points_on_the_edge():
    """The crop's hexagon is bone, and its share of the crop is that of a body."""
    cuts = body_cuts(spine(), np.random.default_rng(1))

    crops = [cuts.random_crop(np.random.default_rng(turn)) for turn in range(12)]

    assert len(cuts.hu) == 2 * len(MIDDLES_MM)
    for crop in crops:
        if crop.is_body:
            assert crop.hu[crop.segmentation[0] > 0].mean() > 220
            assert 0.1 < crop.segmentation[0].mean() < 0.6
    assert refiner_batch(crops).segmented.shape == (12, 2, 1, 1)


def test_neighbours_count_only_where_both_were_read():
    """At the end of the read part nobody knows whether more bone follows."""
    cuts = body_cuts(spine(), np.random.default_rng(1))
    ends = SiteBodies(cuts.hu[:1], cuts.keypoints_mm[:1])
    inner = SiteBodies(cuts.hu[2:3], cuts.keypoints_mm[2:3])

    assert ends.random_crop(np.random.default_rng(0)).segmented == (True, False)
    assert inner.random_crop(np.random.default_rng(0)).segmented == (True, True)


@pytest.fixture(scope="module")
def tuned(reference: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second look trained on one of two patients from weights of its own kind."""
    work = tmp_path_factory.mktemp("work")
    sizes = KeypointsSizes(columns=1, held_out_columns=1, crops_per_held_out=8, batch_size=4)
    options = TrainingOptions(0.01, work / "first", work / "first")
    start = train_bundle(keypoints_recipe(options, sizes), options)
    site = site_data([reference], 1.0, "1/2", 1, 1)
    options = TrainingOptions(
        0.01, work / "second", work / "second", start_from=start, batch=3, blend=0.5
    )
    return train_bundle(keypoints_recipe(options, sizes, site), options)


def test_the_manifest_names_who_had_a_part_and_who_had_not(tuned):
    """Two patients: one trained on, one left out; the weights it began with are named too."""
    training = load_bundle(tuned).manifest.training

    assert sorted(training["data"]["patients"] + training["data"]["left out"]) == ["anna", "boris"]
    assert len(training["data"]["left out"]) == 1
    assert len(training["started from"]["sha256"]) == 64
    assert "--fold 1/2" in load_bundle(tuned).manifest.command


def test_trained_weights_are_drawn_back_towards_their_start():
    """A quarter of the way from 4 to 0 is 3; what counts batches stays as it is."""
    trained, start = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    trained.load_state_dict({name: 4 + 0 * v for name, v in trained.state_dict().items()})
    start.load_state_dict({name: 0 * v for name, v in start.state_dict().items()})

    blend_into(trained, start, 0.75)

    after = {name: value.item() for name, value in trained.state_dict().items()}
    assert after.pop("num_batches_tracked") == 4
    assert set(after.values()) == {3.0}


def test_a_step_of_fewer_images_is_noted(tuned):
    """``--batch 3`` belongs to the command that makes the weights again."""
    assert load_bundle(tuned).manifest.training["batch_size"] == 3
    assert "--batch 3" in load_bundle(tuned).manifest.command
    assert "--blend 0.5" in load_bundle(tuned).manifest.command


def test_a_short_run_from_trained_weights_reaches_its_rate(tmp_path):
    """Weights from scratch warm up for 200 steps; a slow machine takes no more in half an hour."""
    options = TrainingOptions(1, tmp_path, tmp_path)
    recipe = keypoints_recipe(options, KeypointsSizes(columns=0, held_out_columns=0))

    scratch, tuned = (recipe.loop(replace(options, start_from=start)) for start in (None, tmp_path))

    assert (scratch.warmup_steps, tuned.warmup_steps) == (200, 20)
    assert tuned.learning_rate == pytest.approx(0.3 * scratch.learning_rate)


def test_the_card_and_manifest_name_source_and_licence(reference):
    """CC BY asks for it: what the list says of a CT goes wherever its weights go."""
    site = site_data([reference], 1.0, None, 1, 1)
    named = tuple(replace(ct, attribution="Archive of CT, CC BY 4.0") for ct in site.everybody)

    said = facts(replace(site, everybody=named))

    assert isinstance(said, dict)
    assert said["attribution"] == ["Archive of CT, CC BY 4.0"]
    assert "- Archive of CT, CC BY 4.0" in _data({"data": said})


def test_the_card_says_that_real_ct_were_used(tuned):
    """Nobody may take such weights for synthetic ones."""
    card = (tuned / "CARD.md").read_text()

    assert "Real CT were used" in card
    assert "No patient's image" not in card


def test_the_detector_learns_from_read_ct_too(reference, tmp_path):
    """A short run on the straightened CT writes a bundle that loads."""
    options = TrainingOptions(0.01, tmp_path, tmp_path)
    sizes = VertebraeSizes(images=1, held_out_images=1, batch_size=2)
    site = site_data([reference], 1.0, None, 1, 1)

    loaded = load_bundle(train_bundle(vertebrae_recipe(options, sizes, site), options))

    assert loaded.manifest.training["data"]["patients"] == ["anna", "boris"]


def test_a_work_folder_goes_on_with_its_own_training_only(reference, tmp_path):
    """Another set of patients must not go on from the checkpoint of the first."""
    sizes = KeypointsSizes(columns=1, held_out_columns=1, crops_per_held_out=8, batch_size=2)
    options = TrainingOptions(0.001, tmp_path, tmp_path)
    recipe = partial(keypoints_recipe, options, sizes)
    train_bundle(recipe(), options)

    with pytest.raises(TrainingError, match="--work"):
        train_bundle(recipe(site_data([reference], 0.5, "1/2", 1, 1)), options)


def test_data_sets_without_ct_or_for_the_evaluation_alone_are_refused(tmp_path, reference):
    """Readings without images, the synthetic hold-out, a fold of nothing, a wrong role."""
    (tmp_path / "a.json").write_text(json.dumps({"Annotation": {"1": [], "2": []}}))
    with pytest.raises(TrainingError, match="never trained on"):
        site_data(["synthetic:3"], 0.5, None, 1, 1)
    with pytest.raises(TrainingError, match="--data"):
        site_data([], 0.5, "1/2", 1, 1)
    with pytest.raises(TrainingError, match="as many patients"):
        _ = site_data([reference], 0.5, "1/5", 1, 1).cases
    with pytest.raises(UnreadableInputError, match="missing"):
        site_data([f"reference:{tmp_path / 'missing'}"], 0.5, None, 1, 1)
    with pytest.raises(TrainingError, match="synthetic CT alone"):
        _recipe("spine", site_data([reference], 0.5, None, 1, 1), None, None)
