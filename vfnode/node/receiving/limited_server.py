"""The listening socket, with limits that hold before the DICOM library sees a byte.

pynetdicom shakes hands for TLS in the loop that accepts, so that one silent caller would
stop the port, and it starts two threads for every connection, whoever calls. Both are mended here.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from socketserver import TCPServer
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from vfnode.node.receiving.limited_reading import LimitedReading, PortLimits
from vfnode.node.receiving.memory_budget import MemoryBudget

log = structlog.get_logger()


class LimitedHandler(RequestHandler):  # type: ignore[misc]  # the library is untyped
    """Gives each association its limited reading."""

    server: LimitedServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        reading = LimitedReading(association, self.server.limits, self.server.budget)
        association.dul.socket.recv = reading
        association.bind(evt.EVT_ACCEPTED, reading.negotiated)
        association.bind(evt.EVT_DIMSE_RECV, reading.message_ended)
        association.bind(evt.EVT_DIMSE_SENT, reading.message_answered)
        association.bind(evt.EVT_CONN_CLOSE, reading.closed)
        return association


class LimitedServer(ThreadedAssociationServer):  # type: ignore[misc]  # untyped as well
    """The library's server within limits; made by ``AE.make_server``."""

    request_queue_size = 128  #: with the library's 5, callers beyond it wait for a second each
    daemon_threads = True  # a caller that never shakes hands does not hold up a stop

    def __init__(
        self,
        *arguments: Any,
        limits: PortLimits,
        may_connect: Callable[[str], bool],
        tls: Callable[[], ssl.SSLContext | None],
        **more: Any,
    ) -> None:
        self.limits = limits
        self.budget = MemoryBudget(limits.memory_bytes)
        self._may_connect = may_connect
        self._tls = tls
        self._shaking_hands = 0
        self._lock = threading.Lock()
        super().__init__(*arguments, request_handler=LimitedHandler, **more)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; TLS is begun later, where nobody else waits for it."""
        accepted, address = self.socket.accept()
        accepted.settimeout(self.limits.handshake_timeout_s)
        context = self._tls()
        if context:
            accepted = context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        return accepted, address

    def verify_request(self, _request: Any, client_address: Any) -> bool:
        """True if somebody may call from there, and there is room for one more connection.

        A stranger is not heard at all, and so cannot take the places of others.
        """
        if not self._may_connect(client_address[0]):
            log.warning("connection closed: nobody may call from there", address=client_address[0])
            return False
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
            if isinstance(request, ssl.SSLSocket):
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
