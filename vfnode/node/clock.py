"""What happens by the clock: quiet-time sweep, watch, retention, sign of life to systemd."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from apscheduler.schedulers.background import BackgroundScheduler

SWEEPS_PER_QUIET_TIME = 4  #: so a series waits at most a quarter longer than it must
LONGEST_SWEEP_S = 1.0
WATCH_S = 10.0
RETENTION_S = 3600.0
ROOM_S = 20.0  #: in which a fast sender fills two gigabytes


@dataclass(frozen=True)
class Duties:
    """What the clock calls; each may raise, which is logged, and is called again."""

    sweep: Callable[[], None]
    watch: Callable[[], None]
    purge: Callable[[], None]
    make_room: Callable[[], None]
    heartbeat: Callable[[], None]


def start_clock(duties: Duties, quiet_s: float) -> BackgroundScheduler:
    """Start the clock in a thread of its own; stop it with ``shutdown()``."""
    clock = BackgroundScheduler(timezone="UTC")
    every = {
        duties.sweep: min(LONGEST_SWEEP_S, quiet_s / SWEEPS_PER_QUIET_TIME),
        duties.watch: WATCH_S,
        duties.purge: RETENTION_S,
        duties.make_room: ROOM_S,
    }
    watchdog_s = watchdog_interval_s()
    if watchdog_s is not None:
        every[duties.heartbeat] = watchdog_s / 2
    for duty, interval_s in every.items():
        clock.add_job(duty, "interval", seconds=interval_s, coalesce=True, max_instances=1)
    clock.start()
    return clock


def watchdog_interval_s() -> float | None:
    """Seconds within which systemd wants a sign of life; None where it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 1e6 if microseconds else None
