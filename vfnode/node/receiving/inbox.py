"""The inbox on disk: what stands here was acknowledged, what was acknowledged stands here.

``<root>/<study>/<series>/<instance>.dcm``. An instance is written under a unique
temporary name, forced to disk and linked to its own name; only then may the sender
be told Success. The link, unlike a rename, never replaces a file: of two senders of
one instance the first is kept, whatever the second one sends.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from vfnode.durable_files import _write_synced, sync_folder
from vfnode.errors import InboxFullError
from vfnode.node.receiving.received_instance import ReceivedInstance, series_of
from vfnode.node.series_key import SeriesKey

SUFFIX = ".dcm"
CONFLICT = ".conflict"  #: of the mark beside an instance that came again with other bytes
INCOMING = ".incoming"  #: folder of temporary files, in the inbox so that a link can be made


class Arrival(Enum):
    """What became of one instance."""

    STORED = "stored"
    REPEATED = "repeated"  #: the same bytes were there already
    CONFLICTING = "conflicting"  #: other bytes stood under this UID; they are kept


class Inbox:
    """The instances that the node holds, by series.

    Args:
        root: folder of the inbox; made where it does not exist.
        reserve_bytes: room on the disk that is left to others.
    """

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self._root = root
        self._incoming = root / INCOMING
        self._reserve_bytes = reserve_bytes
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, instance: ReceivedInstance) -> tuple[SeriesKey, Arrival]:
        """Store one instance; on return it is on the disk.

        Raises:
            InboxFullError: the reserve of the disk would be touched, or it is full.
            InvalidInstanceError: the instance cannot be filed.
        """
        key = series_of(instance)
        content = instance.file_bytes()
        if shutil.disk_usage(self._root).free - len(content) < self._reserve_bytes:
            raise InboxFullError("the disk of the spool is down to its reserve")
        path = self._folder(key) / f"{instance.sop_instance_uid}{SUFFIX}"
        try:
            return key, self._store(path, content)
        except OSError as error:
            raise InboxFullError(f"the spool cannot be written: {error.strerror}") from error

    def series(self, study_instance_uid: str = "[0-9]*") -> Iterator[SeriesKey]:
        """Every series that has an instance, of one study or of all."""
        for folder in self._root.glob(f"{study_instance_uid}/[0-9]*"):
            if any(folder.glob(f"*{SUFFIX}")):
                yield SeriesKey(folder.parent.name, folder.name)

    def instances(self, key: SeriesKey) -> list[Path]:
        """The files of a series, in order of their UIDs."""
        return sorted(self._folder(key).glob(f"*{SUFFIX}"))

    def remove(self, key: SeriesKey, instance_uids: list[str]) -> None:
        """Let go of these instances of a series; those that are gone already do not matter."""
        folder = self._folder(key)
        for uid in instance_uids:
            for suffix in (SUFFIX, CONFLICT):
                (folder / f"{uid}{suffix}").unlink(missing_ok=True)
        for emptied in (folder, folder.parent):
            if emptied.is_dir() and not any(emptied.iterdir()):
                emptied.rmdir()

    def drop_unfinished(self) -> int:
        """Remove temporary files of a process that died; none was acknowledged.

        Returns:
            How many there were.
        """
        leftovers = list(self._incoming.iterdir())
        for path in leftovers:
            path.unlink()
        return len(leftovers)

    def _folder(self, key: SeriesKey) -> Path:
        return _series_folder(self._root, key)

    def _store(self, path: Path, content: bytes) -> Arrival:
        temporary = self._incoming / f"{uuid.uuid4().hex}.part"
        try:
            _write_synced(temporary, content)
            return _link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def conflicting_instances(root: Path, key: SeriesKey) -> list[str]:
    """SOP instance UIDs in an inbox that came again with other bytes; the first were kept."""
    return sorted(path.stem for path in _series_folder(root, key).glob(f"*{CONFLICT}"))


def _series_folder(root: Path, key: SeriesKey) -> Path:
    return root / key.study_instance_uid / key.series_instance_uid


def _link(temporary: Path, path: Path) -> Arrival:
    _make_folders(path.parent)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        arrival = Arrival.REPEATED
        if path.read_bytes() != temporary.read_bytes():
            arrival = Arrival.CONFLICTING
            path.with_suffix(CONFLICT).touch()
    else:
        arrival = Arrival.STORED
    # Also for a repeated one: its first sender may not have come as far as this line.
    sync_folder(path.parent)
    return arrival


def _make_folders(folder: Path) -> None:
    """Make study and series folder so that a power cut cannot lose their names."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)
