"""The listening socket, with limits that hold before the DICOM library sees a byte.

pynetdicom shakes hands for TLS in the loop that accepts, so that one silent caller would
stop the port; it reads as long a PDU as its header claims, without a time-out in the
middle of it; and it starts two threads for every connection. Each is mended here.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from socketserver import TCPServer
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from vfnode.node.settings.settings import Settings

READ_BYTES = 256 * 1024  #: at once; the library's 4 KB cost more calls than the work is worth
MEGABYTE = 1_000_000
MAX_NEGOTIATION_BYTES = 1 << 20  #: of a PDU before there is an association; 128 contexts fit

log = structlog.get_logger()


@dataclass(frozen=True)
class PortLimits:
    """What one connection, and all of them, may cost."""

    max_connections: int
    max_object_bytes: int
    handshake_timeout_s: float
    idle_timeout_s: float

    @classmethod
    def of(cls, settings: Settings) -> PortLimits:
        """The limits of these settings."""
        receiving = settings.receiving
        return cls(
            max_connections=receiving.max_connections,
            max_object_bytes=receiving.max_object_mb * MEGABYTE,
            handshake_timeout_s=receiving.association_timeout_s,
            idle_timeout_s=receiving.idle_timeout_s,
        )


class ObjectTooLargeError(OSError):
    """More bytes than one instance may have; the library closes the connection on it."""


class LimitedReading:
    """Reads for one association in place of the library's socket wrapper."""

    def __init__(self, association: Association, max_object_bytes: int) -> None:
        self._association = association
        self._max_object_bytes = max_object_bytes
        self._message_bytes = 0

    def __call__(self, wanted: int) -> bytearray:
        """Read exactly so many bytes, or fewer where the peer has closed.

        Raises:
            ObjectTooLargeError: the object grows beyond its limit.
            TimeoutError: nothing came within the idle time-out.
        """
        found = bytearray()
        try:
            self._count(wanted)
            while len(found) < wanted:
                part = self._wire().recv(min(READ_BYTES, wanted - len(found)))
                if not part:
                    break
                found += part
        finally:
            if len(found) < wanted and not self._association.is_established:
                # The library would wait for an association request of a caller that has
                # gone, with two threads, for the whole time-out; None ends the wait.
                self._association.dul.to_user_queue.put(None)
        return found

    def _count(self, wanted: int) -> None:
        self._message_bytes += wanted
        established = self._association.is_established
        limit = self._max_object_bytes if established else MAX_NEGOTIATION_BYTES
        if self._message_bytes > limit:
            log.warning("object too large", limit_bytes=limit, established=established)
            raise ObjectTooLargeError(f"more than {limit} bytes")

    def _wire(self) -> Any:
        return self._association.dul.socket.socket

    def message_ended(self, _event: Event) -> None:
        """The next object begins."""
        self._message_bytes = 0


class LimitedHandler(RequestHandler):  # type: ignore[misc]  # the library is untyped
    """Gives each association its limited reading."""

    server: LimitedServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        reading = LimitedReading(association, self.server.limits.max_object_bytes)
        association.dul.socket.recv = reading
        association.bind(evt.EVT_DIMSE_RECV, reading.message_ended)
        association.bind(evt.EVT_ACCEPTED, reading.message_ended)
        return association


class LimitedServer(ThreadedAssociationServer):  # type: ignore[misc]  # untyped as well
    """The library's server within limits; made by ``AE.make_server``."""

    request_queue_size = 128  #: with the library's 5, callers beyond it wait for a second each
    daemon_threads = True  # a caller that never shakes hands does not hold up a stop

    def __init__(self, *arguments: Any, limits: PortLimits, **more: Any) -> None:
        self.limits = limits
        self._shaking_hands = 0
        self._lock = threading.Lock()
        super().__init__(*arguments, request_handler=LimitedHandler, **more)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; TLS is begun later, where nobody else waits for it."""
        accepted, address = self.socket.accept()
        accepted.settimeout(self.limits.handshake_timeout_s)
        if self.ssl_context:
            accepted = self.ssl_context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        return accepted, address

    def verify_request(self, _request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection."""
        with self._lock:
            has_room = (
                len(self.active_associations) + self._shaking_hands < self.limits.max_connections
            )
            self._shaking_hands += has_room
        if not has_room:
            log.warning("connection closed: too many", address=client_address[0])
        return has_room

    def shutdown(self) -> None:
        """Listen no more; open associations go on."""
        TCPServer.shutdown(self)
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands where TLS is on, and start the association; in a thread of its own."""
        shaking_hands = True
        try:
            if self.ssl_context:
                request.do_handshake()
            request.settimeout(self.limits.idle_timeout_s)
            with self._lock:  # one lock for both: no caller counts as handshake and association
                super().finish_request(request, client_address)
                self._shaking_hands -= 1
                shaking_hands = False
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            log.warning("connection refused", address=client_address[0], reason=str(reason))
            self.shutdown_request(request)
        finally:
            with self._lock:
                self._shaking_hands -= shaking_hands
