"""Storage Commitment Push Model, SCU (PS3.4 annex J): the PACS takes over responsibility.

Success to a C-STORE says that an object has arrived, and not that it will be there
tomorrow. A destination with ``commitment = true`` counts as delivered only when it has
committed to every object; until then the spool keeps them. The answer may come on the
association of the question or, minutes later, on one that the PACS opens to the node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from vfnode.dicom.uids import derive_uid
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.commitment_book import CommitmentBook, CommitmentReport
from vfnode.node.delivery.result_object import ResultObject
from vfnode.node.delivery.storage_scu import Peer, association

REQUEST_COMMITMENT = 1  #: action type (PS3.4 J.3.2)
SUCCESS, NO_SUCH_TRANSACTION = 0x0000, 0x0115  #: PS3.7 annex C: invalid argument value
LOOK_S = 0.2

log = structlog.get_logger()


class Commitments:
    """Asks destinations for commitment, and hears their answers.

    Args:
        book: where questions and answers are recorded.
    """

    def __init__(self, book: CommitmentBook) -> None:
        self._book = book
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
        uids = sorted(each.sop_instance_uid for each in missing)
        transaction_uid = derive_uid("commitment", destination, *uids, f"{time.time_ns()}")
        self._book.ask(transaction_uid, destination)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.handle_report)]
        contexts = {(str(StorageCommitmentPushModel), str(ImplicitVRLittleEndian))}
        with association(peer, contexts, handlers) as opened:
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
        """Answer one N-EVENT-REPORT, on whichever association it comes."""
        report = _report(event.event_information)
        known = self._book.record(report)
        tell = log.info if known and not report.failed else log.warning
        tell(
            "storage commitment",
            transaction_uid=report.transaction_uid,
            asked=known,
            committed=len(report.committed),
            failed={uid: f"0x{reason:04X}" for uid, reason in report.failed.items()},
        )
        return (SUCCESS if known else NO_SUCH_TRANSACTION), None

    def _missing(self, destination: str, objects: Sequence[ResultObject]) -> list[ResultObject]:
        uids = self._book.missing(destination, [each.sop_instance_uid for each in objects])
        return [each for each in objects if each.sop_instance_uid in uids]


def _request(transaction_uid: str, objects: Sequence[ResultObject]) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = []
    for each in objects:
        item = Dataset()
        item.ReferencedSOPClassUID = each.sop_class_uid
        item.ReferencedSOPInstanceUID = each.sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request


def _report(information: Dataset) -> CommitmentReport:
    return CommitmentReport(
        transaction_uid=str(information.get("TransactionUID", "")),
        committed=[
            str(item.ReferencedSOPInstanceUID)
            for item in information.get("ReferencedSOPSequence") or []
        ],
        failed={
            str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason", 0x0110))
            for item in information.get("FailedSOPSequence") or []
        },
    )
