"""Readiness of the node to analyse: told in the log, to systemd, and in a file of the spool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from vfnode.durable_files import read_json, write_json
from vfnode.node.moment import now_utc

FILE = "ready.json"

log = structlog.get_logger()


@dataclass(frozen=True)
class Readiness:
    """Last word of the node about itself."""

    trouble: str  #: why it cannot analyse; empty where it can
    since: datetime


class ReadinessTeller:
    """Tells of each change once.

    Args:
        spool: folder of the node.
        notify: takes a line for systemd.
    """

    def __init__(self, spool: Path, notify: Callable[[str], object]) -> None:
        self._path = spool / FILE
        self._notify = notify
        self._told: str | None = None

    def tell(self, trouble: str) -> None:
        """The node cannot analyse for this reason; empty where it can."""
        if trouble == self._told:
            return
        try:
            write_json(self._path, {"trouble": trouble, "since": now_utc().isoformat()})
        except OSError as error:  # told at the next look, when there is room
            log.warning("cannot tell whether the node is ready", reason=error.strerror)
            return
        self._notify(f"STATUS=NOT READY: {trouble}" if trouble else "STATUS=ready")
        self._told = trouble


def read_readiness(spool: Path) -> Readiness | None:
    """Last word of a node about itself; None if it has never run."""
    told: dict[str, Any] | None = read_json(spool / FILE)
    if not told:
        return None
    return Readiness(told["trouble"], datetime.fromisoformat(told["since"]))
