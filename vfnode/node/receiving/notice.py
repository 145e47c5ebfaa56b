"""Notice of what a running node is receiving, for those who ask from outside."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vfnode.durable_files import read_json, write_json
from vfnode.node.receiving.completeness import ArrivingSeries, Completeness
from vfnode.node.receiving.other_objects import NotTaken, OtherObjects
from vfnode.node.settings.settings import Settings

AGAIN_S = 10.0  #: after which it is written although nothing has changed


@dataclass(frozen=True)
class Arriving:
    """A series that is not yet taken up, as people ask for it."""

    study_instance_uid: str
    series_instance_uid: str
    sender: str  #: AE title@address; empty where it is not known any more
    images: int  #: that came since the node started
    quiet_s: float  #: since the last of them
    waits_for: str


@dataclass(frozen=True)
class Notice:
    """Arriving series and refused objects, as of a moment."""

    written_at: datetime
    arriving: tuple[Arriving, ...]
    not_taken: tuple[NotTaken, ...]


class NoticeBoard:
    """Keeps the notice of a running node up to date.

    Args:
        settings: where its spool is.
        completeness: what is arriving.
        other_objects: what is not taken.
    """

    def __init__(
        self, settings: Settings, completeness: Completeness, other_objects: OtherObjects
    ) -> None:
        self._path = _path(settings)
        self._completeness = completeness
        self._other_objects = other_objects
        self._written: tuple[Any, ...] = ()
        self._written_at = datetime.min.replace(tzinfo=UTC)

    def update(self) -> None:
        """Write the notice where something has changed, or after a while."""
        arriving, not_taken = self._completeness.arriving(), self._other_objects.counts()
        said = (*[(series.key, series.images, series.waits_for) for series in arriving], *not_taken)
        now = datetime.now(UTC)
        stale = bool(arriving) and (now - self._written_at).total_seconds() > AGAIN_S
        if said == self._written and not stale and self._path.exists():
            return
        write_json(
            self._path,
            {
                "written_at": now.isoformat(),
                "arriving": [asdict(_told(series)) for series in arriving],
                "not_taken": [asdict(kind) for kind in not_taken],
            },
        )
        self._written, self._written_at = said, now


def read_notice(settings: Settings) -> Notice | None:
    """The latest notice of a node; None where it has never run."""
    found = read_json(_path(settings))
    if not found:
        return None
    return Notice(
        datetime.fromisoformat(found["written_at"]),
        tuple(Arriving(**series) for series in found["arriving"]),
        tuple(NotTaken(**kind) for kind in found["not_taken"]),
    )


def _path(settings: Settings) -> Path:
    return settings.node.spool.absolute() / "receiving.json"


def _told(series: ArrivingSeries) -> Arriving:
    return Arriving(
        series.key.study_instance_uid,
        series.key.series_instance_uid,
        series.sender,
        series.images,
        round(series.quiet_s, 1),
        series.waits_for.value,
    )
