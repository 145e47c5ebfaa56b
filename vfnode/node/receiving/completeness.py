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

from vfnode.dicom.reading.series_key import SeriesKey


class Feeder(Protocol):
    """An association: a thread that is alive while it may send more."""

    def is_alive(self) -> bool:
        """Whether more may come."""


@dataclass
class _Arriving:
    last_arrival_s: float
    looked_at_s: float | None = None  #: the arrival after which the geometry was looked at
    has_gap: bool = False
    feeders: set[Feeder] = field(default_factory=set)


class Completeness:
    """Which series still arrive, and which are ready for analysis.

    Args:
        quiet_s: seconds without an instance after which a series is complete.
        now_s: a clock in seconds that never runs backwards.
        gap_wait_s: the same where slices are missing within the series.
        has_gap: whether they are; asked once after each quiet time.
        by_study: whether a series waits for the others of its study as well.
    """

    def __init__(
        self,
        quiet_s: float,
        now_s: Callable[[], float],
        gap_wait_s: float = 0.0,
        has_gap: Callable[[SeriesKey], bool] = lambda _key: False,
        *,
        by_study: bool = False,
    ) -> None:
        self._quiet_s = quiet_s
        self._now_s = now_s
        self._gap_wait_s = gap_wait_s
        self._has_gap = has_gap
        self._by_study = by_study
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
        failures: list[Exception] = []
        for key, arrival_s in self._complete():
            try:
                self._settle_one(key, arrival_s, start)
            except Exception as error:  # noqa: BLE001 - one series must not hold up the others
                failures.append(error)
        if failures:
            raise failures[0]  # for the clock, which logs it

    def _settle_one(
        self, key: SeriesKey, arrival_s: float, start: Callable[[SeriesKey], None]
    ) -> None:
        if self._waits_for_a_gap(key, arrival_s):
            return
        start(key)
        with self._lock:
            if self._arriving[key].last_arrival_s == arrival_s:
                del self._arriving[key]

    def _waits_for_a_gap(self, key: SeriesKey, arrival_s: float) -> bool:
        state = self._arriving[key]
        if self._now_s() >= arrival_s + self._gap_wait_s:
            return False
        if state.looked_at_s != arrival_s:
            state.has_gap = self._has_gap(key)
            state.looked_at_s = arrival_s
        return state.has_gap

    def _complete(self) -> list[tuple[SeriesKey, float]]:
        with self._lock:
            quiet = {key: self._is_quiet(state) for key, state in self._arriving.items()}
            busy = {key.study_instance_uid for key, is_quiet in quiet.items() if not is_quiet}
            return [
                (key, self._arriving[key].last_arrival_s)
                for key, is_quiet in quiet.items()
                if is_quiet and not (self._by_study and key.study_instance_uid in busy)
            ]

    def _is_quiet(self, state: _Arriving) -> bool:
        state.feeders = {feeder for feeder in state.feeders if feeder.is_alive()}
        return not state.feeders and state.last_arrival_s <= self._now_s() - self._quiet_s
