"""One budget for what is arriving and stands in memory, for all associations together.

An association over the budget waits: nothing is read from its sender until another object has been
written. Its time-outs go on meanwhile, so that two that wait for each other do not do so for ever.
"""

from __future__ import annotations

import threading
import time


class MemoryBudget:
    """Bytes in memory, by who holds them.

    Args:
        limit_bytes: of all together. An association alone may have more, up to one object.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: dict[object, int] = {}
        self._changed = threading.Condition()

    def take(self, holder: object, wanted_bytes: int, patience_s: float) -> None:
        """Wait until there is room for so many more bytes of this holder, and count them.

        Raises:
            TimeoutError: there was none in time.
        """
        deadline_s = time.monotonic() + patience_s
        with self._changed:
            while not self._has_room(holder, wanted_bytes):
                if not self._changed.wait(deadline_s - time.monotonic()):
                    raise TimeoutError("no room in memory")
            self._held[holder] = self._held.get(holder, 0) + wanted_bytes

    def give_back(self, holder: object, given_bytes: int) -> None:
        """So many bytes of this holder are in memory no more."""
        with self._changed:
            left = self._held.get(holder, 0) - given_bytes
            if left > 0:
                self._held[holder] = left
            else:
                self._held.pop(holder, None)
            self._changed.notify_all()

    def forget(self, holder: object) -> None:
        """This holder is gone, with all it held."""
        with self._changed:
            self._held.pop(holder, None)
            self._changed.notify_all()

    @property
    def used_bytes(self) -> int:
        """Bytes of all holders."""
        with self._changed:
            return sum(self._held.values())

    def _has_room(self, holder: object, wanted_bytes: int) -> bool:
        others = sum(held for other, held in self._held.items() if other is not holder)
        mine = self._held.get(holder, 0)
        return others == 0 or others + mine + wanted_bytes <= self._limit_bytes
