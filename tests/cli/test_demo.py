"""The demonstration takes no folder that is not its own, and says so in one sentence."""

import shutil

import pytest

from vfnode.cli.demo import _fresh
from vfnode.errors import VfnodeError


def test_a_folder_of_an_earlier_demonstration_is_emptied(tmp_path):
    """And is then one of this demonstration."""
    folder = _fresh(tmp_path / "demo")
    (folder / "old").touch()

    assert [path.name for path in _fresh(folder).iterdir()] == [".vfnode-demo"]


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    """Somebody may want it."""
    (tmp_path / "mine").touch()

    with pytest.raises(VfnodeError, match="is not empty: give another folder"):
        _fresh(tmp_path)


def test_a_folder_that_another_user_left_is_told(tmp_path, monkeypatch):
    """As after a run as root; root itself may remove everything, so the refusal is played."""
    folder = _fresh(tmp_path / "demo")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)

    with pytest.raises(VfnodeError, match=r"demo \(Permission denied\), perhaps left by another"):
        _fresh(folder)
