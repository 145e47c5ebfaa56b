"""Files are on disk before their names can be seen, and a seal says whether they still are."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.factories import CREATED, make_analysis, make_series
from tests.node.factories import data_set, harm, received
from vfnode.dicom.results.outputs import build_and_write
from vfnode.durable_files import (
    is_whole,
    link_once,
    move_folder,
    read_json,
    sealed_files,
    write_json,
    write_sealed,
    write_together,
    write_whole,
)
from vfnode.inference.bundle import ModelManifest, save_bundle
from vfnode.node.compute.analysis_store import save_analysis
from vfnode.node.delivery.folder import FolderDestination
from vfnode.node.delivery.object_forms import forms_of, written_form
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.training.loop import LoopOptions, train
from vfnode.training.site_arrays import keep

PACKAGE = Path(__file__).parents[1] / "vfnode"
NAMING = ("replace", "rename", "link")


class Disk:
    """Watches the system calls, for what a power cut could take."""

    def __init__(self, monkeypatch):
        self.named: list[str] = []  #: files in the order in which their names appeared
        self.early: list[str] = []  #: those of them whose content was not on disk
        self.unsynced: set[str] = set()  #: folders with a name that is not on disk
        self._sizes: dict[str, int] = {}  #: bytes of a file when it was forced to disk
        self._fsync, self._mkdir = os.fsync, os.mkdir
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "mkdir", self.mkdir)
        for name in NAMING:
            monkeypatch.setattr(os, name, self.naming(getattr(os, name)))

    def fsync(self, descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self._sizes[str(path)] = path.stat().st_size
        self.unsynced.discard(str(path))
        self._fsync(descriptor)

    def mkdir(self, path, *arguments):
        self._mkdir(path, *arguments)
        self.unsynced.add(str(Path(path).parent))

    def naming(self, call):
        def named(source, target):
            is_file = Path(source).is_file()
            if is_file and self._sizes.get(str(source)) != Path(source).stat().st_size:
                self.early.append(Path(target).name)
            call(source, target)
            self.named.append(Path(target).name)
            self.unsynced.add(str(Path(target).parent))

        return named


def into_inbox(folder):
    inbox = Inbox(folder / "inbox", 0)
    return lambda: inbox.put(received(data_set()))


def analysis(folder):
    return lambda: save_analysis(make_analysis(), folder / "analysis")


def outputs(folder):
    series = make_series(folder / "ct")
    return lambda: build_and_write(make_analysis(), series, folder / "out", created=CREATED)


def other_form(folder):
    outputs(folder)()
    report = next(each for each in result_objects(folder / "out") if forms_of(each)[1:])
    return lambda: written_form(forms_of(report)[1], report)


def destination_folder(folder):
    outputs(folder)()
    (folder / "share").mkdir()
    section = DestinationSection(name="share", kind="folder", folder=folder / "share")
    destination = FolderDestination(section, Settings())
    return lambda: destination.send(result_objects(folder / "out"), lambda _each, _status: None)


def checkpoint(folder):
    batch = torch.zeros(4, 3)
    options = LoopOptions(folder / "work" / "run.pt", steps=2, bfloat16=False)
    return lambda: train(
        nn.Linear(3, 1),
        lambda _step: (batch,),
        lambda model, given: {"loss": model(given[0]).square().mean()},
        options,
    )


def bundle(folder):
    manifest = ModelManifest(
        name="spine",
        role="spine",
        architecture="spine_localizer",
        arguments={},
        spacing_mm=(4.0, 2.0, 2.0),
        window_hu=(-400.0, 800.0),
        normalisation="window",
        seed=1,
        generator_version="test",
        training={},
        command="none",
    )
    return lambda: save_bundle(folder / "spine", nn.Linear(2, 2), manifest, "# Card\n")


WRITERS = {
    "one file": lambda folder: lambda: write_whole(folder / "a" / "b" / "file", b"content"),
    "JSON": lambda folder: lambda: write_json(folder / "list.json", [1, 2]),
    "several": lambda folder: lambda: write_together(folder / "a", {"1": b"one", "2": b"two"}),
    "arrays": lambda folder: lambda: keep(folder / "a.npz", {"hu": np.zeros(9)}),
    "inbox": into_inbox,
    "analysis": analysis,
    "outputs": outputs,
    "other form": other_form,
    "destination": destination_folder,
    "checkpoint": checkpoint,
    "model": bundle,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_gets_its_name_before_its_content_is_on_disk(writer, tmp_path, monkeypatch):
    """And when the writer returns, every new name is on disk as well."""
    write = WRITERS[writer](tmp_path)
    disk = Disk(monkeypatch)

    write()

    assert disk.named
    assert disk.early == []
    assert disk.unsynced == set()


def test_the_watch_sees_a_name_that_comes_too_early(tmp_path, monkeypatch):
    """The usual way, write and rename, is what it must not let pass."""
    disk = Disk(monkeypatch)

    (tmp_path / "part").write_bytes(b"content")
    (tmp_path / "part").replace(tmp_path / "whole")

    assert disk.early == ["whole"]
    assert disk.unsynced == {str(tmp_path)}


def test_the_last_of_several_files_appears_when_the_others_are_on_disk(tmp_path, monkeypatch):
    """Whoever sees it may rely on all of them."""
    disk = Disk(monkeypatch)
    replace = os.replace

    def watched(source, target):
        if Path(target).name == "last":
            assert disk.unsynced == set()
            assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["first"]
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_together(tmp_path, {"first": b"1", "last": b"2"})

    assert disk.named == ["first", "last"]


def test_a_folder_that_gets_another_name_keeps_it(tmp_path, monkeypatch):
    """After a power cut it has one name, not two or none."""
    write_sealed(tmp_path / "results", {"a": b"1"})
    disk = Disk(monkeypatch)

    move_folder(tmp_path / "results", tmp_path / "replaced")

    assert is_whole(tmp_path / "replaced")
    assert disk.unsynced == set()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    """Neither half a file nor a temporary one; what stood there stands."""
    write_together(tmp_path, {"a": b"old", "b": b"old"})

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_together(tmp_path, {"a": b"new", "b": b"new"})

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": b"old",
        "b": b"old",
    }


def test_a_link_never_replaces_a_file(tmp_path):
    """The first of two writers is kept, and the second one is told."""
    (tmp_path / "workshop").mkdir()

    first = link_once(tmp_path / "in" / "file", b"first", tmp_path / "workshop")
    second = link_once(tmp_path / "in" / "file", b"second", tmp_path / "workshop")

    assert (first, second) == (True, False)
    assert (tmp_path / "in" / "file").read_bytes() == b"first"
    assert list((tmp_path / "workshop").iterdir()) == []


@pytest.mark.parametrize("damage", ["emptied", "cut", "altered", "deleted"])
@pytest.mark.parametrize("index", range(3))
def test_a_seal_sees_every_damage(damage, index, tmp_path):
    """Of a file that it lists, and of itself."""
    write_sealed(tmp_path, {"a": b"content", "b": b"more content"})
    assert is_whole(tmp_path)

    harm(sorted(tmp_path.iterdir())[index], damage)

    assert not is_whole(tmp_path)


def test_a_new_seal_drops_the_files_of_the_earlier_one(tmp_path):
    """An object that is wanted no more is not delivered with the others."""
    write_sealed(tmp_path, {"a": b"1", "b": b"1"})
    write_sealed(tmp_path, {"a": b"2"})

    assert sealed_files(tmp_path) == {"a"}
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("content", [None, b"", b'["cut', b"\xff\xfe"])
def test_a_damaged_list_reads_as_a_missing_one(content, tmp_path):
    """Its reader decides what to do without."""
    if content is not None:
        (tmp_path / "list.json").write_bytes(content)

    assert read_json(tmp_path / "list.json") is None


def test_only_one_module_names_files():
    """Nobody else syncs, renames or links by hand, so that nobody forgets a part of it."""
    by_hand = {"fsync", "rename", "renames", "hardlink_to", "mkdtemp", "NamedTemporaryFile"}

    found = {
        f"{path.relative_to(PACKAGE)}: {call.func.attr}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "durable_files.py"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in by_hand or _is_path_replace(call)
    }

    assert found == set()


def _is_path_replace(call):
    """``path.replace(target)``; that of a string takes two arguments, that of a date names them."""
    return call.func.attr == "replace" and len(call.args) == 1 and not call.keywords
