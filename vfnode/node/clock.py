"""Duties by the clock: quiet-time sweep, watch, retention, sign of life to systemd.

Pauses are measured on the monotonic clock. A scheduler that goes by the time of day, as
APScheduler does, stands still for an hour when a time server sets the clock back by one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

SWEEPS_PER_QUIET_TIME = 4  #: so a series waits at most a quarter longer than it must
LONGEST_SWEEP_S = 1.0
WATCH_S = 10.0
RETENTION_S = 3600.0
ECHO_S = 300.0  #: a C-ECHO every five minutes is what monitoring sends as well
ROOM_S = 20.0  #: in which a fast sender fills two gigabytes

log = structlog.get_logger()


@dataclass(frozen=True)
class Duties:
    """Duties that the clock calls; each may raise, which is logged, and is called again."""

    sweep: Callable[[], None]
    take_up: Callable[[], None]
    notice: Callable[[], None]
    watch: Callable[[], None]
    tell_actions: Callable[[], None]
    echo: Callable[[], None]
    purge: Callable[[], None]
    remove_let_go: Callable[[], None]
    make_room: Callable[[], None]
    heartbeat: Callable[[], None]


class Clock:
    """Calls each duty again and again, in a thread of its own, so that none delays another."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def every(self, interval_s: float, duty: Callable[[], None]) -> None:
        """Call ``duty`` from now on, with this pause before each time."""
        arguments = (interval_s, duty)
        thread = threading.Thread(target=self._repeat, args=arguments, daemon=True, name="clock")
        self._threads.append(thread)
        thread.start()

    def shutdown(self) -> None:
        """Begin no duty any more, and wait for those that have begun."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, interval_s: float, duty: Callable[[], None]) -> None:
        while not self._stopping.wait(interval_s):
            try:
                duty()
            except Exception:
                log.exception("duty failed")  # the next time may find a better world


def start_clock(duties: Duties, quiet_s: float) -> Clock:
    """Start the clock; stop it with ``shutdown()``."""
    clock = Clock()
    sweep_s = min(LONGEST_SWEEP_S, quiet_s / SWEEPS_PER_QUIET_TIME)
    clock.every(sweep_s, duties.sweep)
    clock.every(sweep_s, duties.take_up)
    clock.every(LONGEST_SWEEP_S, duties.notice)
    clock.every(WATCH_S, duties.watch)
    clock.every(WATCH_S, duties.tell_actions)
    clock.every(ECHO_S, duties.echo)
    clock.every(RETENTION_S, duties.purge)
    clock.every(ROOM_S, duties.remove_let_go)
    clock.every(ROOM_S, duties.make_room)
    watchdog_s = watchdog_interval_s()
    if watchdog_s is not None:
        clock.every(watchdog_s / 2, duties.heartbeat)
    return clock


def watchdog_interval_s() -> float | None:
    """Seconds within which systemd wants a sign of life; None where it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 1e6 if microseconds else None
