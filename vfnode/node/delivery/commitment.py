"""Storage Commitment Push Model, SCU (PS3.4 annex J): the PACS takes over responsibility.

Success to a C-STORE says that an object has arrived, and not that it will be there
tomorrow. A destination with ``commitment = true`` counts as delivered only when it has
committed to every object; until then the spool keeps them. The answer may come on the
association of the question or, minutes later, on one that the PACS opens to the node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import structlog
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from vfnode.dicom.uids import derive_uid
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.association import Peer, association
from vfnode.node.delivery.commitment_book import CommitmentBook, CommitmentReport
from vfnode.node.delivery.result_object import ResultObject

REQUEST_COMMITMENT = 1  #: action type (PS3.4 J.3.2)
SUCCESS, NO_SUCH_TRANSACTION = 0x0000, 0x0115  #: PS3.7 annex C: invalid argument value
PROCESSING_FAILURE = 0x0110
LOOK_S = 0.2

log = structlog.get_logger()


class Commitments:
    """Asks destinations for commitment, and hears their answers.

    Args:
        book: where questions and answers are recorded.
        titles: AE title of each destination; a report from another one is a stranger's.
        on_lost: called with a destination and the instances that it says it does not have.
    """

    def __init__(
        self,
        book: CommitmentBook,
        titles: Mapping[str, str],
        on_lost: Callable[[str, Collection[str]], object],
    ) -> None:
        self._book = book
        self._titles = titles
        self._on_lost = on_lost
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait for no more answers; those that come later are for the next start."""
        self._stopping.set()

    def require(
        self, peer: Peer, destination: str, objects: Sequence[ResultObject], wait_s: float
    ) -> None:
        """Return when the destination has committed to all objects; ask where it has not.

        Raises:
            DeliveryDeferredError: it has not yet, or it lacks one: to be tried again.
            DeliveryRefusedError: it offers no Storage Commitment.
        """
        missing = self._missing(destination, objects)
        if not missing:
            return
        # One transaction for one set of objects: an answer to an earlier question counts.
        uids = sorted(result.sop_instance_uid for result in missing)
        transaction_uid = derive_uid("commitment", destination, *uids, f"{time.time_ns()}")
        self._book.ask(transaction_uid, destination, uids)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.handle_report)]
        contexts = {(str(StorageCommitmentPushModel), str(ImplicitVRLittleEndian))}
        patient = replace(peer, limit_s=peer.limit_s + wait_s)
        with association(patient, contexts, handlers) as opened:
            answer, _ = opened.send_n_action(
                _request(transaction_uid, missing),
                REQUEST_COMMITMENT,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
            if "Status" not in answer or answer.Status != SUCCESS:
                status = f"0x{answer.Status:04X}" if "Status" in answer else "nothing"
                raise DeliveryDeferredError(f"{peer} answered {status} to a commitment request")
            deadline_s = time.monotonic() + wait_s
            while self._missing(destination, objects) and time.monotonic() < deadline_s:
                if self._stopping.wait(LOOK_S) or not opened.is_established:
                    break
        if self._missing(destination, objects):
            raise DeliveryDeferredError(f"{peer} has the objects and not yet committed to them")

    def handle_report(self, event: Event) -> tuple[int, None]:
        """Answer one N-EVENT-REPORT, on whichever association it comes.

        It counts for what was asked for under its transaction, and from whom it was asked.
        """
        report = _report(event.event_information)
        destination = self._book.destination_of(report.transaction_uid)
        told_by = _other_side(event)
        if destination is None or self._titles.get(destination) != told_by:
            log.warning(
                "storage commitment that was not asked for",
                transaction_uid=report.transaction_uid,
                ae_title=told_by,
            )
            return NO_SUCH_TRANSACTION, None
        lost = self._book.record(report, destination)
        tell = log.warning if report.failed else log.info
        tell(
            "storage commitment",
            transaction_uid=report.transaction_uid,
            destination=destination,
            committed=len(report.committed),
            failed={uid: f"0x{reason:04X}" for uid, reason in report.failed.items()},
        )
        if lost:
            self._on_lost(destination, lost)
        return SUCCESS, None

    def _missing(self, destination: str, objects: Sequence[ResultObject]) -> list[ResultObject]:
        uids = self._book.missing(destination, [result.sop_instance_uid for result in objects])
        return [result for result in objects if result.sop_instance_uid in uids]


def _other_side(event: Event) -> str:
    """AE title of who sends: the one that the node called, or the one that called it."""
    association = event.assoc
    side = association.acceptor if association.is_requestor else association.requestor
    return str(side.ae_title).strip()


def _request(transaction_uid: str, objects: Sequence[ResultObject]) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = []
    for result in objects:
        item = Dataset()
        item.ReferencedSOPClassUID = result.sop_class_uid
        item.ReferencedSOPInstanceUID = result.sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request


def _report(information: Dataset) -> CommitmentReport:
    return CommitmentReport(
        transaction_uid=str(information.get("TransactionUID", "")),
        committed=[
            str(item.get("ReferencedSOPInstanceUID", ""))
            for item in information.get("ReferencedSOPSequence") or []
        ],
        failed={
            str(item.get("ReferencedSOPInstanceUID", "")): int(
                item.get("FailureReason") or PROCESSING_FAILURE
            )
            for item in information.get("FailedSOPSequence") or []
        },
    )
