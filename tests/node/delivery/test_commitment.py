"""Storage Commitment: with Orthanc, which answers on a new association, and on the same one."""

import threading
import time
from types import SimpleNamespace

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from tests.end_to_end.peers import Orthanc, wait_until
from tests.node.factories import node_settings, write_ct
from tests.node.fake_compute import build
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.delivery.cstore import CStoreDestination, peer_of
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.orthanc import PROGRAM
from vfnode.node.testing.ports import free_port

needs_orthanc = pytest.mark.skipif(
    PROGRAM is None, reason="Orthanc is not installed (apt-get install orthanc)"
)


@pytest.fixture
def objects(tmp_path):
    images = write_ct(tmp_path / "images", 1)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


@pytest.fixture
def node(tmp_path):
    """The parts of a node that have to do with commitment."""
    settings = node_settings(tmp_path, free_port())
    settings.node.spool.mkdir()
    ledger = Ledger.open(settings.database_url)
    book = CommitmentBook(ledger.engine)
    titles = {"pacs": "PACS", "orthanc": "ORTHANC"}
    commitments = Commitments(book, titles, ledger.reopen)
    completeness = Completeness(QuietRule(1.0), time.monotonic)
    scp = StorageSCP(
        settings, Inbox(tmp_path / "inbox", 0), completeness, commitments.handle_report
    )
    scp.start()
    yield SimpleNamespace(settings=settings, ledger=ledger, book=book, commitments=commitments)
    scp.stop(1.0)
    ledger.close()


def section(port, ae_title):
    return DestinationSection(name=ae_title.lower(), ae_title=ae_title, port=port, timeout_s=10)


def require(node, pacs, objects, wait_s=20.0):
    node.commitments.require(peer_of(pacs, node.settings), pacs.name, objects, wait_s)


@pytest.fixture
def orthanc(node, tmp_path):
    me = ["VFNODE", "127.0.0.1", node.settings.node.port]
    pacs = Orthanc(tmp_path / "orthanc", DicomModalities={"vfnode": me})
    pacs.start()
    yield section(pacs.dicom_port, "ORTHANC")
    pacs.stop()


@needs_orthanc
def test_orthanc_commits_to_what_it_has_by_an_association_of_its_own(node, orthanc, objects):
    """N-ACTION, then N-EVENT-REPORT to the node's port."""
    CStoreDestination(orthanc, node.settings).send(objects, lambda _each, _status: None)

    require(node, orthanc, objects)

    assert node.book.missing("orthanc", [each.sop_instance_uid for each in objects]) == set()


@needs_orthanc
def test_what_orthanc_lacks_is_not_committed_and_is_sent_again(node, orthanc, objects):
    """An object that was deleted after it was stored loses its receipt."""
    CStoreDestination(orthanc, node.settings).send(objects[:1], lambda _each, _status: None)
    for each in objects:
        node.ledger.add_receipt("job", "orthanc", each.sop_instance_uid, each.sop_class_uid, 0)

    with pytest.raises(DeliveryDeferredError, match="not yet committed"):
        require(node, orthanc, objects, wait_s=3.0)

    uids = [each.sop_instance_uid for each in objects]
    wait_until(lambda: node.ledger.received("orthanc", uids) == {uids[0]}, "one receipt is gone")


class SamePeer:
    """A PACS that reports on the association on which it was asked."""

    def __init__(self, failure_reason=None):
        self._failure_reason = failure_reason
        entity = AE("PACS")
        entity.add_supported_context(StorageCommitmentPushModel)
        handlers = [(evt.EVT_N_ACTION, self._asked), (evt.EVT_DIMSE_SENT, self._answered)]
        self._report = None
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.server_address[1]

    def _asked(self, event):
        request = event.action_information
        self._report = Dataset()
        self._report.TransactionUID = request.TransactionUID
        items = request.ReferencedSOPSequence
        if self._failure_reason is None:
            self._report.ReferencedSOPSequence = items
        else:
            for item in items:
                item.FailureReason = self._failure_reason
            self._report.FailedSOPSequence = items
        return 0x0000, None

    def _answered(self, event):
        report, self._report = self._report, None
        if report is not None:

            def tell():
                event.assoc.send_n_event_report(
                    report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
                )

            threading.Thread(target=tell, daemon=True).start()


def test_a_report_on_the_same_association_counts(node, objects):
    """As many archives do that commit at once."""
    pacs = SamePeer()
    try:
        require(node, section(pacs.port, "PACS"), objects)
    finally:
        pacs.server.shutdown()

    assert node.book.missing("pacs", [each.sop_instance_uid for each in objects]) == set()


def test_a_pacs_without_storage_commitment_is_named_with_the_remedy(node, objects):
    """It is a wrong setting, and trying again does not help."""
    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False)
    try:
        with pytest.raises(DeliveryRefusedError, match="Storage Commitment Push Model"):
            require(node, section(server.server_address[1], "PACS"), objects)
    finally:
        server.shutdown()


def report(transaction_uid, committed=(), failed=(), reason=0x0112):
    """What an N-EVENT-REPORT says of objects."""
    said = Dataset()
    said.TransactionUID = transaction_uid
    said.ReferencedSOPSequence = [item(each) for each in committed]
    said.FailedSOPSequence = [item(each) for each in failed]
    for each in said.FailedSOPSequence:
        each.FailureReason = reason
    return said


def item(each):
    named = Dataset()
    named.ReferencedSOPClassUID = each.sop_class_uid
    named.ReferencedSOPInstanceUID = each.sop_instance_uid
    return named


def tell(node, said, calling="PACS"):
    """Call the node as a PACS and report; the status that it answers."""
    entity = AE(calling)
    entity.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    opened = entity.associate(
        "127.0.0.1", node.settings.node.port, ae_title="VFNODE", ext_neg=[role]
    )
    status, _ = opened.send_n_event_report(
        said, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    opened.release()
    return status.Status


def missing(node, objects):
    return node.book.missing("pacs", [each.sop_instance_uid for each in objects])


def test_a_report_that_nobody_asked_for_changes_nothing(node, objects):
    """Its sender is told that there is no such transaction."""
    assert tell(node, report("1.2.3", objects)) == 0x0115
    assert len(missing(node, objects)) == 2


def test_a_report_of_a_stranger_changes_nothing(node, objects):
    """It knows the transaction, and is not whom the node asked."""
    node.book.ask("1.2.3", "pacs", [each.sop_instance_uid for each in objects])

    assert tell(node, report("1.2.3", objects), calling="STRANGER") == 0x0115
    assert len(missing(node, objects)) == 2


def test_a_report_counts_for_what_was_asked_under_its_transaction_alone(node, objects):
    """The other object belongs to another transaction."""
    node.book.ask("1.2.3", "pacs", [objects[0].sop_instance_uid])
    node.book.ask("1.2.4", "pacs", [objects[1].sop_instance_uid])

    assert tell(node, report("1.2.3", objects)) == 0
    assert missing(node, objects) == {objects[1].sop_instance_uid}


def test_an_object_that_is_committed_and_failed_is_not_committed(node, objects):
    """Of two words about one object the worse one holds."""
    node.book.ask("1.2.3", "pacs", [each.sop_instance_uid for each in objects])

    tell(node, report("1.2.3", objects, objects[:1], reason=0x0110))

    assert missing(node, objects) == {objects[0].sop_instance_uid}


def test_a_commitment_is_the_evidence_of_a_receipt(node, objects):
    """Before, it rests on the Success of the C-STORE."""
    receive(node, objects)
    node.book.ask("1.2.3", "pacs", [objects[0].sop_instance_uid])

    tell(node, report("1.2.3", objects))

    found = {each.sop_instance_uid: each.evidence for each in node.ledger.jobs("job")[0].receipts}
    assert found == {
        objects[0].sop_instance_uid: "commitment",
        objects[1].sop_instance_uid: "success",
    }


def receive(node, objects):
    """A job that is delivered."""
    node.ledger.register("job", SeriesKey("p", "1.2", "1.2.3"), 4)
    node.ledger.plan_delivery("job", "pacs")
    for each in objects:
        node.ledger.add_receipt("job", "pacs", each.sop_instance_uid, each.sop_class_uid, 0)
    node.ledger.set_delivery("job", "pacs", JobState.DELIVERED, 1, "")


def test_a_loss_that_is_told_after_delivery_opens_the_delivery_again(node, objects):
    """What the PACS lacks is sent again, although a query might find its name there."""
    receive(node, objects)
    uids = [each.sop_instance_uid for each in objects]
    node.book.ask("1.2.3", "pacs", uids)
    tell(node, report("1.2.3", objects))

    tell(node, report("1.2.3", failed=objects[:1]))

    job = node.ledger.jobs("job")[0]
    assert job.state is JobState.WAITING
    assert "does not have what it had" in job.reason
    assert node.ledger.received("pacs", uids) == {uids[1]}
    assert node.ledger.lost("pacs", uids) == {uids[0]}
    assert missing(node, objects) == {uids[0]}
    node.ledger.add_receipt("job", "pacs", uids[0], objects[0].sop_class_uid, 0)
    assert node.ledger.received("pacs", uids) == set(uids)
