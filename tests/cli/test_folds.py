"""Whom the models of a fold may be measured on."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference.factories import MANIFEST
from vfnode.cli.folds import left_out_of, patients_of_folds
from vfnode.errors import ModelError
from vfnode.inference.bundle import save_bundle
from vfnode.inference.model_input import INPUTS
from vfnode.networks import ARCHITECTURES


def models(folder: Path, **roles: tuple[list[str], list[str]]) -> Path:
    """A models folder; each role was trained on some patients and left out others."""
    network = ARCHITECTURES["spine_localizer"](widths=(4, 8))
    for role, (trained, left_out) in roles.items():
        data = {"patients": trained, "left out": left_out}
        manifest = replace(
            MANIFEST,
            role=role,
            normalisation=INPUTS[role].normalisation,
            spacing_mm=INPUTS[role].spacing_mm or (),
            window_hu=INPUTS[role].window_hu or MANIFEST.window_hu,
            training={"data": data},
        )
        save_bundle(folder / role, network, manifest, "# Card\n")
    save_bundle(
        folder / "spine",
        network,
        replace(MANIFEST, training={"data": "synthetic only"}),
        "# Card\n",
    )
    return folder


def test_a_patient_that_one_model_has_seen_is_not_measured(tmp_path):
    """The detector left out both, but the second look was trained on one of them."""
    folder = models(tmp_path, vertebrae=(["c"], ["a", "b"]), keypoints=(["b", "c"], ["a"]))

    assert left_out_of(folder) == {"a"}


def test_models_without_a_fold_measure_nobody(tmp_path):
    """Synthetic weights have left out nobody: --models is meant."""
    with pytest.raises(ModelError, match="--fold"):
        left_out_of(models(tmp_path))


def test_a_patient_is_measured_by_one_fold_alone(tmp_path):
    """The same fold given twice would count its patients twice."""
    first = models(tmp_path / "1", keypoints=(["b"], ["a"]))
    second = models(tmp_path / "2", keypoints=(["c"], ["a"]))

    assert patients_of_folds([first]) == {first: {"a"}}
    with pytest.raises(ModelError, match="another fold"):
        patients_of_folds([first, second])
