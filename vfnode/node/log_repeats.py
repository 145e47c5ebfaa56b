"""Lines that repeat: the first few of a minute are kept, the others are counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KEPT = 5  #: of equal lines in one window
WINDOW_S = 60.0
#: Fields in which equal lines may differ.
PASSING = {
    "timestamp",
    "sop_instance_uid",
    "transaction_uid",
    "attempt",
    "again_in_s",
    "exception",
    "port",
    "pid",
}


@dataclass
class _Window:
    begun_s: float
    lines: int = 0


class Repeats(logging.Filter):
    """Lets through a few of equal warnings a minute; the next after it says how many there were.

    Lines below the level of a warning all pass: they are told once for each thing that happens.

    Args:
        now_s: a clock in seconds that never runs backwards.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._windows: dict[Any, _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """True if a line is written."""
        if record.levelno < logging.WARNING:
            return True
        with self._lock:
            left_out = self._count(_key(record))
        if left_out is None:
            return False
        if left_out:
            _add(record, left_out)
        return True

    def _count(self, key: Any) -> int | None:
        """Number of equal lines that were left out before this one; None if it is left out."""
        now_s, left_out = self._now_s(), 0
        window = self._windows.get(key)
        if window is None or now_s - window.begun_s >= WINDOW_S:
            left_out = max(window.lines - KEPT, 0) if window else 0
            self._forget(now_s)
            window = self._windows[key] = _Window(now_s)
        window.lines += 1
        return left_out if window.lines <= KEPT else None

    def _forget(self, now_s: float) -> None:
        """Let go of what has not repeated; what has is kept until it is told."""
        self._windows = {
            key: window
            for key, window in self._windows.items()
            if now_s - window.begun_s < WINDOW_S or window.lines > KEPT
        }


def _key(record: logging.LogRecord) -> Any:
    if isinstance(record.msg, dict):
        same = {key: str(value) for key, value in record.msg.items() if key not in PASSING}
        return record.name, record.levelno, tuple(sorted(same.items()))
    return record.name, record.levelno, str(record.msg)


def _add(record: logging.LogRecord, left_out: int) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, "left_out_before": left_out}
    else:
        record.msg = f"{record.msg} ({left_out} equal lines were left out before)"
