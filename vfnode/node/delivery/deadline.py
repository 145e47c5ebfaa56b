"""The end of an attempt: whatever a receiver drips, its time is over at some moment."""

from __future__ import annotations

import contextvars
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vfnode.errors import DeliveryDeferredError

GRACE_S = 5.0  #: beyond its deadline, for an attempt whose connection was closed to say so


class Deadline:
    """A moment on the monotonic clock, at which a connection can be closed.

    Args:
        limit_s: seconds from now.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end_s = time.monotonic() + limit_s

    @property
    def remaining_s(self) -> float:
        """Seconds that are left; 0 when it is over."""
        return max(self._end_s - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.remaining_s == 0.0

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        """Call ``close`` from another thread when the time is over while the body runs."""
        timer = threading.Timer(self.remaining_s, close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def hang_up(connection: socket.socket | None) -> None:
    """End a connection from any thread: who reads or writes on it goes on at once."""
    if connection is None:
        return
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already, or was never opened
        return


def raised_by(work: Callable[[], None]) -> BaseException | None:
    """Do the work and return what it raises, whatever a library may think of; None for nothing."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the border: it is judged, not forgotten
        return error
    return None


class Attempts:
    """Runs attempts of one destination, and leaves alone those that cannot be ended.

    A name server or a dead network share can hold a thread inside the operating system, where
    no deadline reaches it. Such a thread is given up, so that it holds no slot; while too many
    of one destination are held, it gets no new one.

    Args:
        most: threads that may be held at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: set[threading.Thread] = set()

    def run(self, work: Callable[[], None], limit_s: float) -> BaseException | None:
        """Do the work within a time.

        Returns:
            What it raised, whatever that is; a DeliveryDeferredError where it has not ended in
            time, or was not begun as too many before it have not; None where all is well.
        """
        raised: list[BaseException | None] = []
        with self._lock:
            self._held = {thread for thread in self._held if thread.is_alive()}
            hanging = len(self._held)
        if hanging >= self._most:
            return DeliveryDeferredError(
                f"{hanging} earlier attempts still hang in the operating system"
            )
        context = contextvars.copy_context()  # so that its lines in the log name the job
        thread = threading.Thread(
            target=lambda: raised.append(context.run(raised_by, work)), daemon=True, name="attempt"
        )
        thread.start()
        thread.join(limit_s)
        if thread.is_alive():
            with self._lock:
                self._held.add(thread)
            return DeliveryDeferredError(f"the attempt has not ended within {limit_s:.0f} s")
        return raised[0]
