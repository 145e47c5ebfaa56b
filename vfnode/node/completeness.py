"""When a series is complete: it has been quiet, and no association that fed it is open.

The state is in memory only and is made again from the inbox after a restart: every
series found there is looked at once more, and one that was analysed before leads to
the same job, which starts nothing new.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from vfnode.node.instance_header import SeriesKey


class Feeder(Protocol):
    """An association: a thread that is alive while it may send more."""

    def is_alive(self) -> bool:
        """Whether more may come."""


@dataclass
class _Arriving:
    last_arrival_s: float
    feeders: set[Feeder] = field(default_factory=set)


class Completeness:
    """Which series still arrive, and which are ready for analysis.

    Args:
        quiet_s: seconds without an instance after which a series is complete.
        now_s: a clock in seconds that never runs backwards.
    """

    def __init__(self, quiet_s: float, now_s: Callable[[], float]) -> None:
        self._quiet_s = quiet_s
        self._now_s = now_s
        self._arriving: dict[SeriesKey, _Arriving] = {}
        self._lock = threading.Lock()

    def arrived(self, key: SeriesKey, feeder: Feeder) -> None:
        """An instance of this series was stored."""
        with self._lock:
            state = self._arriving.setdefault(key, _Arriving(0.0))
            state.last_arrival_s = self._now_s()
            state.feeders.add(feeder)

    def found(self, keys: Iterable[SeriesKey]) -> None:
        """These series stand in the inbox after a restart; their quiet time starts now."""
        with self._lock:
            for key in keys:
                self._arriving.setdefault(key, _Arriving(self._now_s()))

    def is_arriving(self, key: SeriesKey) -> bool:
        """Whether the series is not yet settled."""
        with self._lock:
            return key in self._arriving

    def settle(self, start: Callable[[SeriesKey], None]) -> None:
        """Call ``start`` for every complete series and forget it.

        A series for which ``start`` raises stays, so that the next sweep tries again;
        one that gets an instance meanwhile stays as well.
        """
        for key, arrival_s in self._complete():
            start(key)
            with self._lock:
                if self._arriving[key].last_arrival_s == arrival_s:
                    del self._arriving[key]

    def _complete(self) -> list[tuple[SeriesKey, float]]:
        with self._lock:
            limit_s = self._now_s() - self._quiet_s
            complete = []
            for key, state in self._arriving.items():
                state.feeders = {feeder for feeder in state.feeders if feeder.is_alive()}
                if not state.feeders and state.last_arrival_s <= limit_s:
                    complete.append((key, state.last_arrival_s))
            return complete
