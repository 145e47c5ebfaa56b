"""The inbox on disk: what stands here was acknowledged, what was acknowledged stands here.

``<root>/<patient>/<study>/<series>/<instance>.dcm``; the patient is a digest and the UIDs are
quoted, as they may be anything. An instance is written under a unique temporary name, forced
to disk and linked to its own name; only then may the sender be told Success. The link, unlike
a rename, never replaces a file: what comes again with other bytes stands beside the first, as
``<instance>@2.dcm`` and so on.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.durable_files import link_once
from vfnode.errors import InboxFullError, SettingsError
from vfnode.node.receiving.received_instance import ReceivedInstance, series_of

SUFFIX = ".dcm"
CONFLICT = ".conflict"  #: of the mark beside an instance that came again in other words only
VERSION = "@"  #: between an instance and the number of its version; the first has none
INCOMING = ".incoming"  #: folder of temporary files, in the inbox so that a link can be made


class Arrival(Enum):
    """Fate of one instance."""

    STORED = "stored"
    REPEATED = "repeated"  #: the same bytes were there already
    CONFLICTING = "conflicting"  #: other bytes stood under this UID; both are kept


class Inbox:
    """The instances that the node holds, by series.

    Args:
        root: folder of the inbox; made where it does not exist.
        reserve_bytes: room on the disk that is left to others.

    Raises:
        SettingsError: it holds images of a release that filed them otherwise.
    """

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self._root = root
        self._incoming = root / INCOMING
        self._reserve_bytes = reserve_bytes
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._require_layout()

    def put(self, instance: ReceivedInstance) -> tuple[SeriesKey, Arrival]:
        """Store one instance; on return it is on the disk.

        Raises:
            InboxFullError: the reserve of the disk would be touched, or it cannot be written.
            InvalidInstanceError: the instance cannot be filed.
        """
        key = series_of(instance)
        content = instance.file_bytes()
        try:
            if shutil.disk_usage(self._root).free - len(content) < self._reserve_bytes:
                raise InboxFullError("the disk of the spool is down to its reserve")
            return key, self._store(
                _series_folder(self._root, key), instance.sop_instance_uid, content
            )
        except OSError as error:
            raise InboxFullError(f"the spool cannot be written: {error.strerror}") from error

    def series(self) -> Iterator[SeriesKey]:
        """Every series that has an instance."""
        for folder in self._root.glob("[0-9a-f]*/*/*"):
            if any(folder.glob(f"*{SUFFIX}")):
                patient, study, series = folder.parts[-3:]
                yield SeriesKey(patient, unquote(study), unquote(series))

    def instances(self, key: SeriesKey) -> list[Path]:
        """The files of a series, the newest version of each instance, in order of their UIDs."""
        found = _series_folder(self._root, key).glob(f"*{SUFFIX}")
        newest = {_instance_of(path): path for path in sorted(found, key=_version_of)}
        return [newest[instance] for instance in sorted(newest)]

    def earlier_version(self, path: Path) -> Path | None:
        """The version of an instance before this one; None of the first."""
        number = _version_of(path) - 1
        return _version(path.parent, _instance_of(path), number) if number else None

    def drop_version(self, path: Path) -> None:
        """Let go of a version that shows nothing new; a mark says that it came."""
        path.with_name(f"{_instance_of(path)}{CONFLICT}").touch()
        path.unlink(missing_ok=True)

    def remove(self, key: SeriesKey, names: list[str]) -> None:
        """Let go of these files of a series; those that are gone already do not matter."""
        folder = _series_folder(self._root, key)
        for path in (folder / name for name in names):
            path.unlink(missing_ok=True)
            path.with_name(f"{_instance_of(path)}{CONFLICT}").unlink(missing_ok=True)
        for emptied in (folder, *folder.parents[:2]):
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

    def _require_layout(self) -> None:
        """Let no image lie unseen that an earlier release filed without its patient."""
        if any(self._root.glob(f"*/*/*{SUFFIX}")):
            raise SettingsError(
                f"node.spool: {self._root} holds images as an older release of vfnode filed them. "
                "Let that release finish its jobs, then move the folder away, or send its images "
                "to this node with `vfnode send`"
            )

    def _store(self, folder: Path, sop_instance_uid: str, content: bytes) -> Arrival:
        """Under the first name that is free, unless a version with these bytes is there."""
        instance = _file_name(sop_instance_uid)
        for number in itertools.count(1):
            path = _version(folder, instance, number)
            if link_once(path, content, self._incoming):
                return Arrival.STORED if number == 1 else Arrival.CONFLICTING
            if path.read_bytes() == content:
                return Arrival.REPEATED
        raise AssertionError("numbers do not end")


def conflicting_instances(root: Path, key: SeriesKey) -> list[str]:
    """SOP instance UIDs in an inbox that came again in other words, with the same image."""
    marks = _series_folder(root, key).glob(f"*{CONFLICT}")
    return sorted(unquote(path.name.removesuffix(CONFLICT)) for path in marks)


def _series_folder(root: Path, key: SeriesKey) -> Path:
    study, series = _file_name(key.study_instance_uid), _file_name(key.series_instance_uid)
    return root / key.patient_digest / study / series


def _file_name(uid: str) -> str:
    """A UID as a name that cannot leave its folder, whatever it is; ``unquote`` undoes it."""
    quoted = quote(uid, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def _version(folder: Path, instance: str, number: int) -> Path:
    mark = "" if number == 1 else f"{VERSION}{number}"
    return folder / f"{instance}{mark}{SUFFIX}"


def _instance_of(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).partition(VERSION)[0]


def _version_of(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX).partition(VERSION)[2] or 1)
