"""An outgoing association that ends in time and reads no more than answers can be long.

pynetdicom waits without end for the rest of a PDU that has begun, writes without end to a peer
that does not read, and reads as long a PDU as its header claims. Each is mended here.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AddressInformation, AssociationSocket

from vfnode.errors import DeliveryDeferredError, DeliveryError, DeliveryRefusedError
from vfnode.node.delivery.answers import words_of
from vfnode.node.delivery.deadline import Deadline, hang_up
from vfnode.node.dimse import keep_identifiers_out_of_logs, send_at_once

UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)  #: the better one first
CONTEXTS_PER_ASSOCIATION = 128  #: PS3.8 9.3.2.2: odd identifiers up to 255
LONGEST_PDU_BYTES = 1 << 20  #: of a peer; its answers have some hundred bytes
LONGEST_READING_BYTES = 64 << 20  #: in one association
READ_BYTES = 64 * 1024
NOT_SUPPORTED = {3, 4}  #: result of a presentation context: class, transfer syntax (PS3.8 9.3.3.2)


@dataclass(frozen=True)
class Peer:
    """Whom to call, and as whom."""

    called_ae_title: str
    host: str
    port: int
    calling_ae_title: str
    timeout_s: float = 30.0  #: for a connection, or a byte of an answer
    limit_s: float = 300.0  #: for an association altogether
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.called_ae_title} at {self.host}:{self.port}"


class _LimitedSocket(AssociationSocket):  # type: ignore[misc]  # the library is untyped
    """The library's socket, with a time and a size for all that it does."""

    def __init__(self, assoc: Association, address: AddressInformation, timeout_s: float) -> None:
        super().__init__(assoc, address=address)
        self._timeout_s = timeout_s
        self._read_bytes = 0
        self.trouble: OSError | None = None  #: why there is no connection

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly so many bytes, or fewer where the peer has closed.

        Raises:
            OSError: they are too many, or nothing came in time.
        """
        self._read_bytes += nr_bytes
        if nr_bytes > LONGEST_PDU_BYTES or self._read_bytes > LONGEST_READING_BYTES:
            raise OSError(f"an answer of {nr_bytes} bytes")
        found = bytearray()
        while len(found) < nr_bytes:
            part = self.socket.recv(min(READ_BYTES, nr_bytes - len(found)))
            if not part:
                break
            found += part
        return found

    def opened(self, _event: Event) -> None:
        """Time every read and write; the library has just let go of its time-out."""
        self.socket.settimeout(self._timeout_s)

    def _shutdown_socket(self) -> None:
        # The library calls this where it catches why it cannot connect, and keeps that to itself.
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.trouble = error
        super()._shutdown_socket()


class _LimitedEntity(AE):  # type: ignore[misc]  # untyped as well
    """Makes associations whose connection is known before it is opened."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.calling_ae_title)
        self._timeout_s = peer.timeout_s
        self.wire: _LimitedSocket | None = None
        self.connection_timeout = peer.timeout_s
        self.acse_timeout = peer.timeout_s
        self.dimse_timeout = peer.timeout_s
        self.network_timeout = peer.timeout_s

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: Any
    ) -> AssociationSocket:
        self.wire = _LimitedSocket(assoc, address, self._timeout_s)
        self.wire.tls_args = tls_args
        assoc.bind(evt.EVT_CONN_OPEN, self.wire.opened)
        return self.wire

    def hang_up(self) -> None:
        """End the connection, whatever the library waits for."""
        if self.wire is not None:
            hang_up(self.wire.socket)


@contextmanager
def association(
    peer: Peer, contexts: set[tuple[str, str]], handlers: Sequence[tuple[Any, ...]] = ()
) -> Iterator[Association]:
    """An open association; released at the end, aborted if the body raises or takes too long.

    Args:
        contexts: pairs of SOP class and transfer syntax UID; an uncompressed one is
            proposed in both little endian encodings, as the peer may take only one.
        handlers: of what the peer may ask in return, as pynetdicom has them.

    Raises:
        DeliveryDeferredError: nobody answers, or the peer refuses the association.
        DeliveryRefusedError: it takes nothing of what is proposed.
    """
    keep_identifiers_out_of_logs()
    deadline = Deadline(peer.limit_s)
    entity = _entity(peer, contexts)
    with deadline.closing(entity.hang_up):
        opened = _opened(entity, peer, handlers)
        try:
            yield opened
        except BaseException:
            opened.abort()
            raise
        opened.release()


def _opened(entity: _LimitedEntity, peer: Peer, handlers: Sequence[tuple[Any, ...]]) -> Association:
    try:
        opened = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.called_ae_title,
            max_pdu=0,
            tls_args=(peer.tls, peer.host) if peer.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, send_at_once), *handlers],
        )
    except (socket.gaierror, UnicodeError) as error:
        raise DeliveryDeferredError(f"{peer} {words_of(error)}") from error
    if not opened.is_established:
        raise _why_not(opened, entity, peer)
    return opened


def _why_not(opened: Association, entity: _LimitedEntity, peer: Peer) -> DeliveryError:
    """The error to raise for an association that the peer does not accept."""
    if opened.rejected_contexts:
        kinds = {context.abstract_syntax.name for context in opened.rejected_contexts}
        words = f"{peer} accepts none of {', '.join(sorted(kinds))}"
        if {context.result for context in opened.rejected_contexts} <= NOT_SUPPORTED:
            return DeliveryRefusedError(words)
        return DeliveryDeferredError(f"{words} now")
    if opened.is_rejected:
        answer = opened.acceptor.primitive
        words = f"{answer.reason_str}; {answer.result_str}".lower()
        return DeliveryDeferredError(f"{peer} refused the association ({words})")
    trouble = entity.wire.trouble if entity.wire else None
    words = words_of(trouble) if trouble else "does not answer"
    return DeliveryDeferredError(f"{peer} {words}")


def _entity(peer: Peer, contexts: set[tuple[str, str]]) -> _LimitedEntity:
    if len(contexts) > CONTEXTS_PER_ASSOCIATION:
        raise DeliveryRefusedError(f"{len(contexts)} kinds of object do not fit one association")
    entity = _LimitedEntity(peer)
    for sop_class, syntax in sorted(contexts):
        syntaxes = list(UNCOMPRESSED) if syntax in UNCOMPRESSED else [syntax]
        entity.add_requested_context(sop_class, syntaxes)
    return entity
