"""The start of a node on a machine that is not ready yet: it tries again for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from vfnode.errors import InstallationError

#: Longer than a database server, or the node before this one, takes to come and go; shorter
#: than systemd waits for a start (TimeoutStartSec of the unit).
PATIENCE_S = 60.0
PAUSE_S = 2.0

Made = TypeVar("Made")

log = structlog.get_logger()


class Start:
    """One start of a node.

    Args:
        patience_s: seconds that everything together may take to become ready.
        stop: ends the wait when it is set.
    """

    def __init__(self, patience_s: float = 0.0, stop: threading.Event | None = None) -> None:
        self._deadline_s = time.monotonic() + patience_s
        self._stop = stop or threading.Event()

    def when_ready(self, attempt: Callable[[], Made]) -> Made:
        """Result of ``attempt``, as soon as the machine lets it.

        Raises:
            InstallationError: it did not in time, or the node is to stop.
        """
        while True:
            try:
                return attempt()
            except InstallationError as error:
                if time.monotonic() >= self._deadline_s:
                    raise
                log.warning("not ready", reason=str(error), again_in_s=PAUSE_S)
                if self._stop.wait(PAUSE_S):
                    raise
