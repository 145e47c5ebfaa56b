"""Settings that every association of the node shares, in and out."""

from __future__ import annotations

import socket

from pynetdicom import _config
from pynetdicom.events import Event


def send_at_once(event: Event) -> None:
    """Switch Nagle's algorithm off: it holds a response back for about 40 ms."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def keep_identifiers_out_of_logs() -> None:
    """Keep pynetdicom from logging what messages say; what may be logged, vfnode logs."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
