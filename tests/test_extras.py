"""A plain installation says in one sentence which extra a command or a setting needs."""

import configparser
import importlib.metadata
import importlib.util
import re
from pathlib import Path

import pytest

from vfnode import cli, extras
from vfnode.errors import MissingExtraError, SettingsError
from vfnode.extras import EXTRAS, require_extra
from vfnode.node.settings.settings import load_settings

SETUP = Path(__file__).parents[1] / "setup.cfg"


@pytest.fixture
def plain_installation(monkeypatch):
    """None of the extras' modules can be found."""
    absent = {module for modules in EXTRAS.values() for module in modules}
    real = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else real(name))


def test_the_extras_are_those_of_the_package():
    """Each module of the table comes with a distribution of that extra in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    homes = importlib.metadata.packages_distributions()
    named = {
        extra: set(re.findall(r"^[A-Za-z][\w.-]*", setup["options.extras_require"][extra], re.M))
        for extra in EXTRAS
    }

    for extra, modules in EXTRAS.items():
        assert {homes[module][0] for module in modules} == named[extra]


def test_an_absent_package_is_named_with_its_extra(plain_installation):
    """What needs it, what is missing, what to type."""
    with pytest.raises(MissingExtraError) as caught:
        require_extra("evaluate", "vfnode evaluate")

    assert str(caught.value) == (
        "vfnode evaluate needs sklearn and matplotlib, which a plain installation leaves out:"
        " pip install 'vfnode[evaluate]'"
    )


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["train", "spine"], "train"),
        (["contact-sheet"], "train"),
        (["evaluate", "synthetic:1", "--out", "out"], "evaluate"),
    ],
)
def test_a_command_without_its_extra_ends_at_once(
    plain_installation, monkeypatch, capsys, command, extra
):
    """Before hours of measuring; exit code 1 and one line."""
    monkeypatch.setattr("sys.argv", ["vfnode", *command])

    with pytest.raises(SystemExit) as left:
        cli.main()

    lines = capsys.readouterr().err.splitlines()
    assert left.value.code == cli.EXIT_ERROR
    assert len(lines) == 1
    assert f"vfnode[{extra}]" in lines[0]


@pytest.mark.parametrize("name", ["fhir", "hl7"])
def test_a_setting_without_its_extra_is_a_wrong_setting(plain_installation, tmp_path, name):
    """The node does not start to fail at its first positive result."""
    path = tmp_path / "vfnode.toml"
    path.write_text(f'[results]\n{name} = "positives"\n')

    with pytest.raises(SettingsError, match=rf"{name} = 'positives' needs fhir and hl7apy"):
        load_settings(path)


def test_what_needs_no_extra_starts_without(plain_installation):
    """The default settings are those of a plain installation."""
    assert load_settings().results.objects()["fhir"] == "never"
