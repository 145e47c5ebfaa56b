"""Standard error of the compute child, as lines of the node's log.

Its own lines are JSON already. What a library prints is wrapped; a line with a sign that stands
in DICOM names is left out.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

import structlog

LONGEST_LINE = 1000  #: characters of what a library prints
NAME_SIGN = "^"  #: between the components of a person's name (PS3.5 6.2)
LEVELS = {"debug", "info", "warning", "error", "critical"}

log = structlog.get_logger()


def relay_lines(child: subprocess.Popen[bytes], context: Callable[[], Mapping[str, Any]]) -> None:
    """Log what a child writes, as long as it does, in a thread of its own.

    Args:
        context: what it works on, to stand in each line.
    """
    arguments = (child.stderr, child.pid, context)
    threading.Thread(target=_relay, args=arguments, daemon=True, name="child log").start()


def _relay(lines: IO[bytes], pid: int, context: Callable[[], Mapping[str, Any]]) -> None:
    for line in lines:
        text = line.decode("utf-8", "replace").strip()
        if text:
            level, entry = _entry(text)
            getattr(log, level)(**{**context(), **entry, "child": pid})


def _entry(text: str) -> tuple[str, dict[str, Any]]:
    """Level and fields of a line."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not (isinstance(found, dict) and "event" in found):
        shown = "left out: it may name a patient" if NAME_SIGN in text else text[:LONGEST_LINE]
        return "warning", {"event": "printed by the compute child", "line": shown}
    level = found.pop("level", "warning")
    fields = {key: value for key, value in found.items() if key not in {"timestamp", "logger"}}
    return (level if level in LEVELS else "warning"), fields
