"""Completeness of a series: it has been quiet, and no association that fed it is open.

Both have an upper bound, so that a router that never hangs up starves nobody. The state is in
memory only and is made again from the inbox after a restart: every series found there is looked
at once more, and one that was analysed before leads to the same job, which starts nothing new.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from vfnode.dicom.reading.series_key import SeriesKey

Batch = tuple[SeriesKey, ...]  #: series of one study


class Feeder(Protocol):
    """An association: a thread that is alive while it may send more."""

    def is_alive(self) -> bool:
        """True if more may come."""


class Wait(Enum):
    """Reason why an arriving series waits."""

    IMAGES = "more images: the last one came a moment ago"
    SENDER = "its sender, which keeps the association open"
    SLICES = "slices that are missing within it"
    STUDY = "other series of its study, which are arriving"
    TURN = "its turn to be taken up"


@dataclass(frozen=True)
class QuietRule:
    """Pauses after which a series is complete, seconds; see the settings of [receiving]."""

    quiet_s: float
    open_wait_s: float = 60.0
    gap_wait_s: float = 0.0
    study_wait_s: float = 0.0  #: 0 where a series does not wait for the others of its study


@dataclass(frozen=True)
class ArrivingSeries:
    """A series that is not yet taken up, and why."""

    key: SeriesKey
    images: int  #: that came since it began to arrive; 0 where it stood in the inbox
    quiet_s: float
    waits_for: Wait
    sender: str = ""  #: AE title@address


@dataclass
class _Arriving:
    last_arrival_s: float
    images: int = 0
    sender: str = ""
    gap_arrival_s: float | None = None  #: the arrival after which slices were missing
    in_hand_s: float | None = None  #: the arrival after which it was handed out
    feeders: set[Feeder] = field(default_factory=set)


class Completeness:
    """Register of the series that still arrive, and of those ready for analysis.

    Args:
        rule: how long is waited.
        now_s: a clock in seconds that never runs backwards.
    """

    def __init__(self, rule: QuietRule, now_s: Callable[[], float]) -> None:
        self._rule = rule
        self._now_s = now_s
        self._longest_wait_s = rule.study_wait_s or rule.open_wait_s
        self._arriving: dict[SeriesKey, _Arriving] = {}
        self._lock = threading.Lock()

    def arrived(self, key: SeriesKey, feeder: Feeder, sender: str = "") -> None:
        """An instance of this series was stored, from this AE title@address."""
        with self._lock:
            state = self._arriving.setdefault(key, _Arriving(0.0))
            state.last_arrival_s = self._now_s()
            state.images += 1
            state.sender = sender
            state.feeders.add(feeder)

    def found(self, keys: Iterable[SeriesKey]) -> None:
        """These series stand in the inbox after a restart; their quiet time starts now."""
        with self._lock:
            for key in keys:
                self._arriving.setdefault(key, _Arriving(self._now_s()))

    def is_arriving(self, key: SeriesKey) -> bool:
        """True if the series is not yet taken up."""
        with self._lock:
            return key in self._arriving

    def sender_of(self, key: SeriesKey) -> str:
        """Sender of the last instance of an arriving series; empty if unknown."""
        with self._lock:
            state = self._arriving.get(key)
            return state.sender if state else ""

    def arriving(self) -> tuple[ArrivingSeries, ...]:
        """Every series that is not yet taken up, the longest quiet one first."""
        with self._lock:
            waits = self._waits()
            listed = [
                ArrivingSeries(
                    key,
                    state.images,
                    self._idle_s(state),
                    waits[key] or Wait.STUDY,
                    state.sender,
                )
                for key, state in self._arriving.items()
            ]
        return tuple(sorted(listed, key=lambda series: -series.quiet_s))

    def ready(self) -> list[Batch]:
        """Complete series, those of one study together; each is handed out once.

        Who gets them says what became of them: :meth:`taken`, :meth:`put_back` or
        :meth:`lacks_slices`.
        """
        studies: dict[str, list[SeriesKey]] = defaultdict(list)
        with self._lock:
            waits = self._waits()
            busy = {self._unit(key) for key, wait in waits.items() if wait not in (None, Wait.TURN)}
            for key, wait in waits.items():
                state = self._arriving[key]
                long_quiet = self._idle_s(state) >= self._longest_wait_s
                if wait is None and (self._unit(key) not in busy or long_quiet):
                    studies[key.study_instance_uid].append(key)
                    state.in_hand_s = state.last_arrival_s
        return [tuple(keys) for keys in studies.values()]

    def taken(self, key: SeriesKey) -> None:
        """Forget a series whose job is on its way; a later image leads to another look."""
        with self._lock:
            state = self._arriving.get(key)
            if state and state.last_arrival_s == state.in_hand_s:
                del self._arriving[key]
            elif state:
                state.in_hand_s = None

    def put_back(self, keys: Sequence[SeriesKey]) -> None:
        """Keep series that could not be taken up: the next sweep tries again."""
        with self._lock:
            for key in keys:
                if key in self._arriving:
                    self._arriving[key].in_hand_s = None

    def lacks_slices(self, key: SeriesKey) -> bool:
        """True if a series with a gap is waited for longer; it is put back then."""
        with self._lock:
            state = self._arriving.get(key)
            if state is None or self._idle_s(state) >= self._rule.gap_wait_s:
                return False
            state.gap_arrival_s, state.in_hand_s = state.last_arrival_s, None
            return True

    def _waits(self) -> dict[SeriesKey, Wait | None]:
        """Reason of each series to wait, apart from its study."""
        return {key: self._wait(state) for key, state in self._arriving.items()}

    def _wait(self, state: _Arriving) -> Wait | None:
        idle_s = self._idle_s(state)
        if idle_s < self._rule.quiet_s:
            return Wait.IMAGES
        if state.in_hand_s is not None:
            return Wait.TURN
        state.feeders = {feeder for feeder in state.feeders if feeder.is_alive()}
        if state.feeders and idle_s < self._rule.open_wait_s:
            return Wait.SENDER
        if state.gap_arrival_s == state.last_arrival_s and idle_s < self._rule.gap_wait_s:
            return Wait.SLICES
        return None

    def _idle_s(self, state: _Arriving) -> float:
        return self._now_s() - state.last_arrival_s

    def _unit(self, key: SeriesKey) -> tuple[str, ...]:
        """Key of the unit that is waited for as a whole, whatever patients its images name."""
        if self._rule.study_wait_s:
            return (key.study_instance_uid,)
        return key.study_instance_uid, key.series_instance_uid
