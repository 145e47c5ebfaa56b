"""The sending side: objects by C-STORE to one peer, and what its answers mean."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryError,
    DeliveryRefusedError,
    UnreadableInputError,
)
from vfnode.node.dimse import keep_identifiers_out_of_logs, send_at_once

# PS3.4 table B.2-1 and PS3.7 annex C
STORED = {0x0000, 0xB000, 0xB006, 0xB007}
ALREADY_STORED = 0x0111  #: duplicate SOP instance: an earlier attempt got through
OUT_OF_RESOURCES = range(0xA700, 0xA800)
PROCESSING_FAILURE = 0x0110

UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)  #: the better one first
CONTEXTS_PER_ASSOCIATION = 128  #: PS3.8 9.3.2.2: odd identifiers up to 255


@dataclass(frozen=True)
class Peer:
    """Whom to call, and as whom."""

    called_ae_title: str
    host: str
    port: int
    calling_ae_title: str
    timeout_s: float = 30.0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.called_ae_title} at {self.host}:{self.port}"


def send_files(
    paths: Sequence[Path],
    host: str,
    port: int,
    called_ae: str,
    calling_ae: str,
    on_progress: Callable[[int, int], None] = lambda _sent, _total: None,
) -> None:
    """Send DICOM files in one association, in the given order.

    Args:
        on_progress: called after each file with the number sent and the total.

    Raises:
        UnreadableInputError: a file is no DICOM file.
        DeliveryDeferredError: the peer cannot be reached or cannot take it now.
        DeliveryRefusedError: the peer refuses an instance.
    """
    peer = Peer(called_ae, host, port, calling_ae)
    contexts = {_context_of(path) for path in paths}
    with association(peer, contexts) as opened:
        for sent, path in enumerate(paths, start=1):
            store(opened, dcmread(path), peer)
            on_progress(sent, len(paths))


@contextmanager
def association(
    peer: Peer, contexts: set[tuple[str, str]], handlers: Sequence[tuple[Any, ...]] = ()
) -> Iterator[Association]:
    """An open association; released at the end, aborted if the body raises.

    Args:
        contexts: pairs of SOP class and transfer syntax UID; an uncompressed one is
            proposed in both little endian encodings, as the peer may take only one.
        handlers: of what the peer may ask in return, as pynetdicom has them.

    Raises:
        DeliveryDeferredError: nobody answers, or the peer refuses the association.
        DeliveryRefusedError: it takes nothing of what is proposed.
    """
    keep_identifiers_out_of_logs()
    opened = _entity(peer, contexts).associate(
        peer.host,
        peer.port,
        ae_title=peer.called_ae_title,
        max_pdu=0,
        tls_args=(peer.tls, peer.host) if peer.tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, send_at_once), *handlers],
    )
    if opened.rejected_contexts and not opened.is_established:
        kinds = {context.abstract_syntax.name for context in opened.rejected_contexts}
        raise DeliveryRefusedError(f"{peer} accepts none of {', '.join(sorted(kinds))}")
    if not opened.is_established:
        how = "refused the association" if opened.is_rejected else "does not answer"
        raise DeliveryDeferredError(f"{peer} {how}")
    try:
        yield opened
    except BaseException:
        opened.abort()
        raise
    opened.release()


def store(opened: Association, dataset: Dataset, peer: Peer) -> int:
    """Send one object.

    Returns:
        The status with which the peer stored it.

    Raises:
        DeliveryDeferredError: the connection broke, or the peer is out of resources.
        DeliveryRefusedError: the peer does not accept this object.
    """
    if not opened.is_established:
        raise DeliveryDeferredError(f"{peer} closed the association")
    kind = UID(dataset.SOPClassUID)
    if kind not in {context.abstract_syntax for context in opened.accepted_contexts}:
        raise DeliveryRefusedError(f"{peer} accepts no presentation context for {kind.name}")
    try:
        response = opened.send_c_store(dataset)
    except ValueError as error:  # no accepted transfer syntax fits, or it cannot be encoded
        raise DeliveryRefusedError(f"{kind.name} cannot be sent to {peer}: {error}") from error
    except RuntimeError as error:
        raise DeliveryDeferredError(f"{peer} closed the association") from error
    if "Status" not in response:
        raise DeliveryDeferredError(f"{peer} gave no answer to a C-STORE request")
    status = int(response.Status)
    if status in STORED or status == ALREADY_STORED:
        return status
    raise _error_of(status, peer)


def _error_of(status: int, peer: Peer) -> DeliveryError:
    if status in OUT_OF_RESOURCES or status == PROCESSING_FAILURE:
        return DeliveryDeferredError(f"{peer} answered 0x{status:04X}: it cannot store now")
    return DeliveryRefusedError(f"{peer} answered 0x{status:04X}: it will not store this object")


def _entity(peer: Peer, contexts: set[tuple[str, str]]) -> AE:
    if len(contexts) > CONTEXTS_PER_ASSOCIATION:
        raise DeliveryRefusedError(f"{len(contexts)} kinds of object do not fit one association")
    entity = AE(peer.calling_ae_title)
    entity.connection_timeout = peer.timeout_s
    entity.acse_timeout = peer.timeout_s
    entity.dimse_timeout = peer.timeout_s
    entity.network_timeout = peer.timeout_s
    for sop_class, syntax in sorted(contexts):
        syntaxes = list(UNCOMPRESSED) if syntax in UNCOMPRESSED else [syntax]
        entity.add_requested_context(sop_class, syntaxes)
    return entity


def _context_of(path: Path) -> tuple[str, str]:
    try:
        meta = dcmread(path, stop_before_pixels=True, specific_tags=[]).file_meta
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError) as error:
        raise UnreadableInputError(f"{path.name} is not a DICOM file") from error
