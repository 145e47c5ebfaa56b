"""The receiving side of the node: C-ECHO and C-STORE of CT, in every lossless transfer syntax.

Instances are written as they come and never decoded on receipt: decoding and encoding
again is what makes Python receivers slow, and what a sender encoded is the original.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import structlog
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from vfnode.errors import (
    InboxFullError,
    InstallationError,
    InvalidInstanceError,
    SettingsError,
    VfnodeError,
)
from vfnode.node.dimse import keep_identifiers_out_of_logs, send_at_once
from vfnode.node.receiving.admission import Admission, handle_requested
from vfnode.node.receiving.association_log import AssociationLog
from vfnode.node.receiving.completeness import Completeness
from vfnode.node.receiving.ct_contexts import SOP_CLASSES, TRANSFER_SYNTAXES
from vfnode.node.receiving.inbox import Arrival, Inbox
from vfnode.node.receiving.limited_reading import PortLimits
from vfnode.node.receiving.limited_server import LimitedServer
from vfnode.node.receiving.other_objects import OtherObjects, other_contexts
from vfnode.node.receiving.received_instance import ReceivedInstance
from vfnode.node.settings.settings import Settings
from vfnode.node.tls import RenewedContext

# PS3.4 table B.2-1
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

log = structlog.get_logger()


class StorageSCP:
    """The node's DICOM port.

    Args:
        settings: AE title, address, limits and time-outs.
        inbox: takes the instances.
        completeness: is told what arrived.
        on_commitment_report: answers an N-EVENT-REPORT of Storage Commitment; None where no
            destination is asked for it, and the class is then not offered.
        trouble: why images are refused for now; empty where they are taken.
    """

    def __init__(
        self,
        settings: Settings,
        inbox: Inbox,
        completeness: Completeness,
        on_commitment_report: Callable[[Event], tuple[int, None]] | None = None,
        trouble: Callable[[], str] = lambda: "",
    ) -> None:
        self._settings = settings
        self._inbox = inbox
        self._completeness = completeness
        self._on_commitment_report = on_commitment_report
        self._trouble = trouble
        self._server: LimitedServer | None = None
        self.other_objects = OtherObjects()
        self._associations = AssociationLog()

    def start(self) -> None:
        """Listen; returns at once.

        Raises:
            SettingsError: the port may not be listened on, or TLS cannot be used.
            InstallationError: the port is taken, or the address is not up.
        """
        keep_identifiers_out_of_logs()
        node = self._settings.node
        admission = Admission(self._settings)
        handlers = [
            (evt.EVT_CONN_OPEN, send_at_once),
            (evt.EVT_REQUESTED, handle_requested, [admission]),
            (evt.EVT_ACCEPTED, self.other_objects.handle_accepted),
            (evt.EVT_ACCEPTED, self._associations.accepted),
            (evt.EVT_RELEASED, self._associations.released),
            (evt.EVT_ABORTED, self._associations.aborted),
            (evt.EVT_CONN_CLOSE, self._associations.closed),
            (evt.EVT_C_STORE, self._handle_store),
            (evt.EVT_C_ECHO, handle_echo),
        ]
        entity = _application_entity(self._settings)
        if self._on_commitment_report is not None:
            # PS3.4 J.1: the PACS calls and keeps its role of SCP, which it must negotiate.
            entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
            handlers.append((evt.EVT_N_EVENT_REPORT, self._on_commitment_report))
        tls = RenewedContext(self._settings.tls) if self._settings.receiving.tls else None
        try:
            self._server = entity.make_server(
                (node.host, node.port),
                evt_handlers=handlers,
                server_class=LimitedServer,
                limits=PortLimits.of(self._settings),
                may_connect=admission.may_connect,
                tls=tls.current if tls else lambda: None,
            )
        except OSError as error:
            raise _not_listening(f"{node.host}:{node.port}", error) from error
        threading.Thread(target=self._server.serve_forever, daemon=True, name="port").start()

    def _handle_store(self, event: Event) -> int:
        if event.request.AffectedSOPClassUID in SOP_CLASSES:
            status = handle_store(event, self._inbox, self._completeness, self._trouble)
            self._associations.answered(event.assoc, stored=status == SUCCESS)
            return status
        self.other_objects.drop(event)
        return SUCCESS

    def stop(self, patience_s: float) -> None:
        """Take no more associations, let the open ones end, abort those that do not."""
        if self._server is None:
            return
        associations = self._server.active_associations
        self._server.shutdown()
        deadline_s = time.monotonic() + patience_s
        for association in associations:
            if not association.is_established:  # a connection and nothing said: a port check
                association.dul.socket.close()
                continue
            association.join(max(deadline_s - time.monotonic(), 0.0))
            if association.is_alive():
                association.abort()
        self._server = None


def _not_listening(where: str, error: OSError) -> VfnodeError:
    if error.errno == errno.EACCES:
        return SettingsError(
            f"[node] port: the node may not listen on {where}; ports below 1024 need "
            "CAP_NET_BIND_SERVICE, which systemd/vfnode.service gives; or take 11112"
        )
    what = {
        errno.EADDRINUSE: "another program listens there; `ss -ltnp` shows which. Stop it, or "
        "choose another [node] port",
        errno.EADDRNOTAVAIL: "this machine has no such address now; `ip address` shows those it "
        "has. Bring the network up, or choose another [node] host",
    }.get(error.errno or 0, f"{error.strerror}; check [node] host")
    return InstallationError(f"[node] port: cannot listen on {where}: {what}")


def handle_store(
    event: Event,
    inbox: Inbox,
    completeness: Completeness,
    trouble: Callable[[], str] = lambda: "",
) -> int:
    """Answer one C-STORE request: Success means stored on disk.

    Returns:
        A status of PS3.4 Table B.2-1.
    """
    uid = str(event.request.AffectedSOPInstanceUID)
    if reason := trouble():
        log.warning("not taken now", sop_instance_uid=uid, reason=reason)
        return OUT_OF_RESOURCES
    instance = ReceivedInstance(
        sop_class_uid=str(event.request.AffectedSOPClassUID),
        sop_instance_uid=uid,
        transfer_syntax_uid=str(event.context.transfer_syntax),
        dataset=event.encoded_dataset(include_meta=False),
    )
    try:
        key, arrival = inbox.put(instance)
    except InboxFullError:
        log.exception("no room", sop_instance_uid=uid)
        return OUT_OF_RESOURCES
    except InvalidInstanceError as error:
        log.warning("instance refused", sop_instance_uid=uid, reason=str(error))
        return CANNOT_UNDERSTAND
    if arrival is Arrival.CONFLICTING:
        log.warning("other bytes under a known UID; both are kept", sop_instance_uid=uid)
    completeness.arrived(key, event.assoc, sender_of(event))
    return SUCCESS


def sender_of(event: Event) -> str:
    """Sender of what an event brings: AE title@address."""
    requestor = event.assoc.requestor
    return f"{str(requestor.ae_title).strip()}@{requestor.address}"


def handle_echo(_event: Event) -> int:
    """Answer C-ECHO: the node is there."""
    return SUCCESS


def _application_entity(settings: Settings) -> AE:
    entity = AE(settings.node.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = settings.receiving.max_pdu_kb * 1000
    entity.maximum_associations = settings.receiving.max_associations
    entity.acse_timeout = settings.receiving.association_timeout_s
    entity.dimse_timeout = settings.receiving.idle_timeout_s
    entity.network_timeout = settings.receiving.idle_timeout_s
    entity.add_supported_context(Verification)
    for sop_class in SOP_CLASSES:
        entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
    if settings.receiving.other_objects == "drop":
        for context in other_contexts():
            entity.add_supported_context(context.abstract_syntax, context.transfer_syntax)
    return entity
