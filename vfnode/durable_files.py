"""Files that are written whole, or several together: synced before their names can be seen.

The one owner of what is on disk. Every file is written under a hidden temporary name in its own
folder, forced to disk, and only then renamed. Files that belong together can be sealed: a list of
their SHA-256 sums is written last and says later whether each of them is there and unharmed.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEAL_NAME = ".sealed.json"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, also after a power cut."""
    write_together(path.parent, {path.name: content})


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole."""
    write_whole(path, json.dumps(content).encode("utf-8"))


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a folder, made where it does not exist; on return all are on disk.

    Nothing half-written is seen. The last file appears when the others are on disk: where it
    stands, all stand.
    """
    make_folder(folder)
    waiting = {name: folder / f".{name}.{uuid.uuid4().hex}.part" for name in files}
    *others, last = files
    try:
        for name, content in files.items():
            _write_synced(waiting[name], content)
        for name in others:
            waiting[name].replace(folder / name)
        if others:
            _sync(folder)
        waiting[last].replace(folder / last)
        _sync(folder)
    finally:
        for path in waiting.values():
            path.unlink(missing_ok=True)


def write_sealed(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files together with their seal; files of an earlier seal that are no more wanted go."""
    earlier = sealed_files(folder)
    sums = {name: _sum(content) for name, content in files.items()}
    write_together(folder, {**files, SEAL_NAME: json.dumps(sums).encode("utf-8")})
    for name in earlier - set(files):
        (folder / name).unlink(missing_ok=True)


def sealed_files(folder: Path) -> frozenset[str]:
    """Names of the files that the seal of a folder lists; none where it is missing or damaged."""
    return frozenset(_sums(folder))


def is_whole(folder: Path) -> bool:
    """True if every file of a sealed folder is there with the content that it was written with."""
    sums = _sums(folder)
    return bool(sums) and all(_has_sum(folder / name, wanted) for name, wanted in sums.items())


def link_once(path: Path, content: bytes, workshop: Path) -> bool:
    """Write a file that never replaces another, also against other writers at the same time.

    Args:
        path: where it is to stand; its folder is made.
        content: of the file.
        workshop: folder on the same file system, for the temporary file.

    Returns:
        Whether it was written; False where a file of this name stood already. Either way the
        name is on disk: the writer of the other file may not have come as far as that.
    """
    make_folder(path.parent)
    temporary = workshop / f"{uuid.uuid4().hex}.part"
    try:
        _write_synced(temporary, content)
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    else:
        return True
    finally:
        temporary.unlink(missing_ok=True)
        _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it so that a power cut cannot lose their names."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def move_folder(folder: Path, target: Path) -> None:
    """Give a folder another name, beside its old one, where nothing stands; it is on disk then."""
    folder.rename(target)
    _sync(target.parent)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 as the seal says."""
    sums = read_json(folder / SEAL_NAME)
    return sums if isinstance(sums, dict) else {}


def _has_sum(path: Path, wanted: str) -> bool:
    try:
        return _sum(path.read_bytes()) == wanted
    except OSError:
        return False


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Force the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
