"""Model bundles."""

import json
import re
from pathlib import Path

import pytest
import torch

from tests.inference.factories import MANIFEST
from vfnode.errors import ModelError
from vfnode.inference.bundle import (
    ROLES,
    WEIGHTS_NAME,
    load_bundle,
    models_dir,
    read_manifest,
    save_bundle,
)
from vfnode.inference.pipeline import load_pipeline
from vfnode.networks import ARCHITECTURES


def saved(folder: Path) -> Path:
    model = ARCHITECTURES["spine_localizer"](widths=(4, 8))
    return save_bundle(folder / "spine", model, MANIFEST, "# Card\n")


def test_a_bundle_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Loading gives the manifest and the network's answers of before."""
    torch.manual_seed(0)
    model = ARCHITECTURES["spine_localizer"](widths=(4, 8)).eval()
    image = torch.rand(1, 1, 6, 9, 11)

    loaded = load_bundle(save_bundle(tmp_path / "spine", model, MANIFEST, "# Card\n"))

    assert torch.equal(loaded.model(image).logits, model(image).logits)
    assert not loaded.model.training
    assert loaded.manifest.spacing_mm == (4.0, 2.0, 2.0)
    assert len(loaded.manifest.sha256) == 64


def test_weights_that_are_not_the_manifests_are_refused(tmp_path: Path) -> None:
    """One changed byte in the weights stops the load."""
    folder = saved(tmp_path)
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(content)

    with pytest.raises(ModelError, match="sha256"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "manifest.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """A bundle without weights or manifest is refused with the file's path."""
    folder = saved(tmp_path)
    (folder / name).unlink()

    with pytest.raises(ModelError, match=name):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("role", "change", "words"),
    [
        ("spine", {"normalisation": "zero mean"}, "'zero mean'; this release does 'window'"),
        ("spine", {"spacing_mm": [4.0, 2.0]}, "there must be 3"),
        ("spine", {"window_hu": [800.0, -400.0]}, "the lower value comes first"),
        ("spine", {"window_hu": None}, "cannot read"),
        ("levels", {"spacing_mm": [2.0, 2.0, 2.0]}, "this release resamples to (4.0, 4.0, 4.0)"),
        ("vertebrae", {"window_hu": [-400.0, 800.0]}, "this release clips to (-200.0, 800.0)"),
        ("vertebrae", {"spacing_mm": [2.0, 2.0]}, "this release resamples to (1.0, 1.0)"),
        ("keypoints", {"normalisation": "window"}, "128 px over 2.7 antero-posterior depths"),
    ],
)
def test_a_model_that_would_be_shown_other_input_is_refused(
    tmp_path: Path, role: str, change: dict[str, object], words: str
) -> None:
    """Its answers would be wrong without a sign: a foreign window shifts every height."""
    shipped = json.loads((models_dir() / role / "manifest.json").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(shipped | change))

    with pytest.raises(ModelError, match=re.escape(words)):
        read_manifest(tmp_path)


@pytest.mark.parametrize("role", ROLES)
def test_the_shipped_models_are_shown_what_their_manifests_say(role: str) -> None:
    """And each is of the role that its folder is named after."""
    assert read_manifest(models_dir() / role).role == role


def test_a_model_in_the_folder_of_another_is_refused(tmp_path: Path) -> None:
    """Two networks that were exchanged would both answer, with nonsense."""
    for role in ROLES:
        (tmp_path / role).symlink_to(models_dir() / role)
    (tmp_path / "spine").unlink()
    (tmp_path / "spine").symlink_to(models_dir() / "levels")

    with pytest.raises(ModelError, match="spine holds a model of role 'levels'"):
        load_pipeline(tmp_path, "cpu")


def test_a_configured_folder_must_exist(tmp_path: Path) -> None:
    """A models folder that the site names and that is absent is an error, not a fallback."""
    assert models_dir(tmp_path) == tmp_path
    with pytest.raises(ModelError, match="absent"):
        models_dir(tmp_path / "absent")
