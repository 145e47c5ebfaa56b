"""How a sick destination behaves, drawn card by card, and what it truly holds."""

import random
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Cards in a random order, all of them before one comes again; none but the last when well.

    Args:
        cards: by name.
        well: the card of a destination that has nothing.
        seed: of the order.
    """

    def __init__(self, cards: dict[str, Card], well: Card, seed: int) -> None:
        self._cards, self._well = cards, well
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._left: list[str] = []
        self._is_well = False
        self.drawn: Counter[str] = Counter()

    def draw(self) -> Card:
        with self._lock:
            if self._is_well:
                return self._well
            if not self._left:
                self._left = sorted(self._cards)
                self._random.shuffle(self._left)
            name = self._left.pop()
            self.drawn[name] += 1
            return self._cards[name]

    def recover(self) -> None:
        with self._lock:
            self._is_well = True

    @property
    def undrawn(self) -> set[str]:
        return set(self._cards) - set(self.drawn)


@dataclass
class Truth:
    """What a destination holds, and when each object came."""

    held: set[str] = field(default_factory=set)
    arrivals: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, uid: str) -> None:
        with self.lock:
            self.arrivals[uid].append(datetime.now(UTC))

    def keep(self, uid: str) -> None:
        with self.lock:
            self.held.add(uid)
