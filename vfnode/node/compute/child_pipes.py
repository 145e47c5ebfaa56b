"""The compute child's end of its pipes to the node; without torch, so that a fake is light.

Each line to the node is one JSON object: ``{"ready": true}`` once, or ``{"error": ...}`` where
it cannot work; then ``{"beat": true}`` every few seconds while it works, and the answer.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

BEAT_S = 1.0
PR_SET_PDEATHSIG = 1  #: prctl(2)


class AnswerPipe:
    """Standard output for answers alone; what a library prints goes to the log instead."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one line to the node."""
        with self._lock:
            self._file.write(json.dumps(message) + "\n")
            self._file.flush()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Tell the node every moment that this process is alive, while the body works."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                self.send({"beat": True})

        heart = threading.Thread(target=beat, daemon=True, name="heart")
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()


def lines_of_parent() -> Iterator[str]:
    """Lines of standard input, read ahead from now on.

    The process ends when they do, even in the midst of a series: a child cannot outlive
    a node that was killed; the kernel ends it where it was stopped (SIGSTOP) itself.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            waiting.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return iter(waiting.get, None)
