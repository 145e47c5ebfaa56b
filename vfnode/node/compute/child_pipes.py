"""The compute child's end of its pipes to the node; without torch, so that a fake is light."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import TextIO


def take_standard_output() -> TextIO:
    """Standard output for answers alone; what a library prints goes to the log instead."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def lines_of_parent() -> Iterator[str]:
    """Lines of standard input, read ahead from now on.

    The process ends when they do, even in the midst of a series: a child cannot outlive
    a node that was killed.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            waiting.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return iter(waiting.get, None)
