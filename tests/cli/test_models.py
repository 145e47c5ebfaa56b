"""`vfnode models`: which weights there are, and whether they are what their manifests say."""

import shutil

import pytest
from typer.testing import CliRunner

from vfnode.cli import app
from vfnode.errors import ModelError
from vfnode.inference.bundle import ROLES, WEIGHTS_NAME, models_dir, read_manifest


def test_the_list_names_each_model_with_its_hash_and_data():
    """A person at the terminal compares them with the `models` of a result."""
    shown = CliRunner().invoke(app, ["models", "list"]).output

    for role in ROLES:
        row = next(line for line in shown.splitlines() if line.startswith(role))
        assert read_manifest(models_dir() / role).sha256[:12] in row
        assert "synthetic" in row


def test_every_shipped_model_is_what_its_manifest_says():
    """Verified by loading, as the analysis does."""
    result = CliRunner().invoke(app, ["models", "verify"])

    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.output.splitlines()] == list(ROLES)


def test_damaged_weights_are_named(tmp_path):
    """One bit is enough."""
    folder = tmp_path / "models"
    shutil.copytree(models_dir(), folder)
    weights = folder / "keypoints" / WEIGHTS_NAME
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    with pytest.raises(ModelError, match="keypoints"):
        CliRunner().invoke(
            app, ["models", "verify", "--models", str(folder)], catch_exceptions=False
        )
