"""A line of the log for each association: who called, and with what it ended."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from pynetdicom.association import Association
from pynetdicom.events import Event

log = structlog.get_logger()


@dataclass
class _Open:
    sender: str
    begun_s: float
    stored: int = 0
    refused: int = 0
    how: str = "connection lost"


class AssociationLog:
    """Counts what comes in each association, and tells it when it ends."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._lock = threading.Lock()

    def accepted(self, event: Event) -> None:
        """A caller was let in."""
        requestor = event.assoc.requestor
        sender = f"{str(requestor.ae_title).strip()}@{requestor.address}"
        with self._lock:
            self._open[id(event.assoc)] = _Open(sender, time.monotonic())
        log.info("association accepted", sender=sender)

    def answered(self, association: Association, *, stored: bool) -> None:
        """An object was stored, or refused."""
        with self._lock:
            found = self._open.get(id(association))
            if found is not None:
                found.stored += stored
                found.refused += not stored

    def released(self, event: Event) -> None:
        """The caller has said that it is done."""
        self._set_end(event, "released")

    def aborted(self, event: Event) -> None:
        """One of both has broken it off."""
        self._set_end(event, "aborted")

    def closed(self, event: Event) -> None:
        """The connection is gone, in whatever way."""
        with self._lock:
            found = self._open.pop(id(event.assoc), None)
        if found is None:  # it was never let in
            return
        tell = log.info if found.how == "released" else log.warning
        tell(
            "association ended",
            sender=found.sender,
            how=found.how,
            stored=found.stored,
            refused=found.refused,
            seconds=round(time.monotonic() - found.begun_s, 1),
        )

    def _set_end(self, event: Event, how: str) -> None:
        with self._lock:
            found = self._open.get(id(event.assoc))
            if found is not None:
                found.how = how
