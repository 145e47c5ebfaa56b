"""Reads for one association in place of the library's socket: within times, sizes and memory.

The library reads as long a PDU as its header claims, and waits without end in its middle.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import structlog
from pynetdicom.association import Association
from pynetdicom.events import Event

from vfnode.node.receiving.memory_budget import MemoryBudget
from vfnode.node.settings.settings import Settings

READ_BYTES = 256 * 1024  #: at once; the library's 4 KB cost more calls than the work is worth
MEGABYTE = 1_000_000
MAX_NEGOTIATION_BYTES = 1 << 20  #: of a PDU before there is an association; 128 contexts fit
PDU_HEADER_BYTES = 6  #: type and length (PS3.8 9.3.1); the library reads them alone
SLOWEST_BYTES_PER_S = 10_000  #: that add to the time of a PDU and of an object

log = structlog.get_logger()


@dataclass(frozen=True)
class PortLimits:
    """Limits of one connection, and of all together."""

    max_connections: int
    max_object_bytes: int
    memory_bytes: int
    handshake_timeout_s: float
    idle_timeout_s: float
    pdu_timeout_s: float
    object_timeout_s: float

    @classmethod
    def of(cls, settings: Settings) -> PortLimits:
        """The limits of these settings."""
        receiving = settings.receiving
        return cls(
            max_connections=receiving.max_connections,
            max_object_bytes=receiving.max_object_mb * MEGABYTE,
            memory_bytes=receiving.memory_mb * MEGABYTE,
            handshake_timeout_s=receiving.association_timeout_s,
            idle_timeout_s=receiving.idle_timeout_s,
            pdu_timeout_s=receiving.pdu_timeout_s,
            object_timeout_s=receiving.object_timeout_s,
        )


class ObjectTooLargeError(OSError):
    """More bytes than one instance may have; the library closes the connection on it."""


class LimitedReading:
    """Reads for one association.

    Args:
        association: whose socket is read.
        limits: of the port.
        budget: of memory, shared by all associations.
    """

    def __init__(self, association: Association, limits: PortLimits, budget: MemoryBudget) -> None:
        self._association = association
        self._limits = limits
        self._budget = budget
        self._opened_s = time.monotonic()
        self._pdu_s = self._message_s = self._opened_s
        self._pdu_bytes = self._claimed_bytes = self._message_bytes = 0
        self._unanswered: deque[int] = deque()  #: bytes of messages that are in work

    def __call__(self, wanted: int) -> bytearray:
        """Read exactly so many bytes, or fewer where the peer has closed.

        Raises:
            ObjectTooLargeError: the object grows beyond its limit.
            TimeoutError: nothing came within the idle time-out, or the whole takes too long.
        """
        found = bytearray()
        try:
            self._begin(wanted)
            while len(found) < wanted:
                part = self._part(min(READ_BYTES, wanted - len(found)))
                if not part:
                    break
                found += part
        finally:
            if len(found) < wanted and not self._association.is_established:
                # The library would wait for an association request of a caller that has
                # gone, with two threads, for the whole time-out; None ends the wait.
                self._association.dul.to_user_queue.put(None)
        return found

    def _begin(self, wanted: int) -> None:
        now_s = time.monotonic()
        if wanted == PDU_HEADER_BYTES:
            self._pdu_s, self._pdu_bytes = now_s, 0
            if not self._message_bytes:
                self._message_s = now_s
        self._claimed_bytes += wanted
        established = self._association.is_established
        limit = self._limits.max_object_bytes if established else MAX_NEGOTIATION_BYTES
        if self._claimed_bytes > limit:
            log.warning("object too large", limit_bytes=limit, established=established)
            raise ObjectTooLargeError(f"more than {limit} bytes")

    def _part(self, size: int) -> bytes:
        wire = self._association.dul.socket.socket
        if wire is None:  # another thread has closed it
            return b""
        wire.settimeout(min(self._limits.idle_timeout_s, self._remaining_s()))
        part: bytes = wire.recv(size)
        self._budget.take(self, len(part), self._remaining_s())
        self._pdu_bytes += len(part)
        self._message_bytes += len(part)
        wire.settimeout(self._limits.idle_timeout_s)  # for what is written
        return part

    def _remaining_s(self) -> float:
        """Seconds that are left for this PDU and this object.

        Raises:
            TimeoutError: none are.
        """
        limits = self._limits
        if self._association.is_established:
            end_s = min(
                self._pdu_s + limits.pdu_timeout_s + self._pdu_bytes / SLOWEST_BYTES_PER_S,
                self._message_s
                + limits.object_timeout_s
                + self._message_bytes / SLOWEST_BYTES_PER_S,
            )
        else:
            end_s = self._opened_s + limits.handshake_timeout_s
        remaining_s = end_s - time.monotonic()
        if remaining_s <= 0:
            log.warning("sender too slow", address=self._association.requestor.address)
            raise TimeoutError("a PDU, or an object, takes too long")
        return remaining_s

    def negotiated(self, _event: Event) -> None:
        """The association stands: what was read for it is in memory no more."""
        self._budget.give_back(self, self._message_bytes)
        self._message_bytes = self._claimed_bytes = 0

    def message_ended(self, _event: Event) -> None:
        """A message is whole and is worked on; the next one begins."""
        self._unanswered.append(self._message_bytes)
        self._message_bytes = self._claimed_bytes = 0

    def message_answered(self, _event: Event) -> None:
        """The oldest message has been worked on."""
        if self._unanswered:
            self._budget.give_back(self, self._unanswered.popleft())

    def closed(self, _event: Event) -> None:
        """The connection has ended."""
        self._budget.forget(self)
