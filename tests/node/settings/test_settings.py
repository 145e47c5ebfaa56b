"""Settings: a file, the environment above it, and what is said about a wrong one."""

import re
import tomllib

import pytest

from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.errors import SettingsError
from vfnode.node.settings.settings import Settings, describe_settings, load_settings


def write(folder, text):
    path = folder / "vfnode.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_every_field_has_its_default():
    """A node starts with no settings at all, on loopback."""
    settings = load_settings()

    assert (settings.node.host, settings.node.port) == ("127.0.0.1", 11112)
    assert settings.receiving.quiet_s == 10
    assert settings.database_url.endswith("/vfnode-spool/vfnode.sqlite")


def test_the_environment_stands_above_the_file(tmp_path, monkeypatch):
    """A unit file can override one field; the other fields of the section stay the file's."""
    path = write(tmp_path, '[node]\nport = 1104\nae_title = "SPINE"\n')
    monkeypatch.setenv("VFNODE_NODE__PORT", "104")

    settings = load_settings(path)

    assert (settings.node.port, settings.node.ae_title) == (104, "SPINE")


def test_a_missing_file_is_named(tmp_path):
    """A wrong path is no reason to run on defaults."""
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        load_settings(tmp_path / "absent.toml")


def test_the_described_file_is_the_default(tmp_path):
    """The documented TOML loads as it is, and says the defaults that there are."""
    assert load_settings(write(tmp_path, describe_settings())) == Settings()


def test_every_described_field_can_be_set(tmp_path):
    """With the comment signs before its fields removed, the file still loads."""
    text = re.sub(r"(?m)^# (\[\[|[a-z_]+ = )", r"\1", describe_settings())

    settings = load_settings(write(tmp_path, text))

    assert tomllib.loads(text)["node"]["port"] == settings.node.port
    assert settings.destinations[0].ae_title == "PACS"


def test_every_output_has_a_setting_with_its_default():
    """The table of outputs and the settings say the same."""
    defaults = {output.name: output.when.value for output in OUTPUTS}

    assert Settings().results.objects() == defaults
