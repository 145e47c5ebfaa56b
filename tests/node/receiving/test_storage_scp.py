"""The node's DICOM port, over real associations."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom import AE
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    CTImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    Verification,
    XRayRadiationDoseSRStorage,
)

from tests.node.factories import data_set, node_settings, received, write_ct
from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError, InstallationError
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.ct_contexts import SOP_CLASSES, TRANSFER_SYNTAXES
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.other_objects import NotTaken
from vfnode.node.receiving.storage_scp import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    SUCCESS,
    StorageSCP,
    handle_store,
)
from vfnode.node.testing.ports import free_port


@pytest.fixture
def node(tmp_path):
    """An SCP with its inbox; stopped after the test."""
    settings = node_settings(tmp_path, free_port())
    inbox = Inbox(tmp_path / "inbox", 0)
    completeness = Completeness(QuietRule(1.0), time.monotonic)
    scp = StorageSCP(settings, inbox, completeness)
    scp.start()
    yield SimpleNamespace(
        port=settings.node.port, inbox=inbox, scp=scp, completeness=completeness, settings=settings
    )
    scp.stop(1.0)


def associate(port, sop_class, syntaxes):
    entity = AE("TEST")
    entity.add_requested_context(sop_class, syntaxes)
    return entity.associate("127.0.0.1", port, ae_title="VFNODE")


def test_echo_is_answered(node):
    """C-ECHO: the first thing that an administrator tries."""
    association = associate(node.port, Verification, [ImplicitVRLittleEndian])

    status = association.send_c_echo().Status
    association.release()

    assert status == SUCCESS


def test_a_ct_series_stands_in_the_inbox_as_it_was_sent(node, tmp_path):
    """Every instance is on disk when its sender is told Success."""
    paths = write_ct(tmp_path / "ct")
    progress = []

    send_files(paths, "127.0.0.1", node.port, "VFNODE", "TEST", lambda *done: progress.append(done))

    (key,) = node.inbox.series()
    stored = {dcmread(path).SOPInstanceUID: dcmread(path) for path in node.inbox.instances(key)}
    sent = {dcmread(path).SOPInstanceUID: dcmread(path) for path in paths}
    assert stored == sent
    assert progress[-1] == (4, 4)
    assert node.completeness.is_arriving(key)


@pytest.mark.parametrize("sop_class", SOP_CLASSES)
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_every_lossless_syntax_of_every_kind_of_ct_is_accepted(node, sop_class, syntax):
    """What a scanner or an archive keeps is taken as it is."""
    association = associate(node.port, sop_class, [syntax])

    accepted = association.accepted_contexts
    association.release()

    assert accepted[0].transfer_syntax == [syntax]


@pytest.mark.parametrize(
    ("sop_class", "syntax"),
    [
        (CTImageStorage, JPEGBaseline8Bit),
        (MRImageStorage, ImplicitVRLittleEndian),
        (SecondaryCaptureImageStorage, ImplicitVRLittleEndian),
        (Comprehensive3DSRStorage, ImplicitVRLittleEndian),
    ],
)
def test_lossy_images_and_other_kinds_are_not_accepted(node, sop_class, syntax):
    """Heights are not measured on lossy images, nor on MR; and our own results are no input."""
    association = associate(node.port, sop_class, [syntax])

    accepted = association.accepted_contexts
    association.abort()

    assert accepted == []


class EndedAssociation:
    requestor = SimpleNamespace(ae_title="TEST", address="127.0.0.1")

    def is_alive(self):
        return False


def store_event(instance):
    return SimpleNamespace(
        request=SimpleNamespace(
            AffectedSOPClassUID=instance.sop_class_uid,
            AffectedSOPInstanceUID=instance.sop_instance_uid,
        ),
        context=SimpleNamespace(transfer_syntax=instance.transfer_syntax_uid),
        encoded_dataset=lambda include_meta: b"" if include_meta else instance.dataset,
        assoc=EndedAssociation(),
    )


@pytest.mark.parametrize(
    ("item", "reserve_bytes", "status"),
    [
        (data_set(), 0, SUCCESS),
        (data_set(), 2**62, OUT_OF_RESOURCES),
        (data_set(study=""), 0, CANNOT_UNDERSTAND),
    ],
)
def test_the_status_says_what_the_sender_can_do(tmp_path, item, reserve_bytes, status):
    """0xA700 means later, 0xC000 never; Success means on disk."""
    inbox = Inbox(tmp_path, reserve_bytes)
    completeness = Completeness(QuietRule(1.0), time.monotonic)

    assert handle_store(store_event(received(item)), inbox, completeness) == status


def test_a_port_that_is_taken_may_become_free(tmp_path):
    """It is waited for; the message names the field and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = node_settings(tmp_path, taken.getsockname()[1])
        scp = StorageSCP(settings, Inbox(tmp_path, 0), Completeness(QuietRule(1.0), time.monotonic))

        with pytest.raises(InstallationError, match=r"\[node\] port: cannot listen .*ss -ltnp"):
            scp.start()


def test_a_stopped_node_listens_no_more(node, tmp_path):
    """And does not wait for those who have only opened a connection."""
    with socket.create_connection(("127.0.0.1", node.port)):
        time.sleep(0.2)
        began_s = time.monotonic()
        node.scp.stop(patience_s=30.0)
        took_s = time.monotonic() - began_s

    assert took_s < 10
    with pytest.raises(DeliveryDeferredError, match="does not answer"):
        send_files(write_ct(tmp_path / "ct", 1), "127.0.0.1", node.port, "VFNODE", "TEST")


@pytest.fixture
def study(tmp_path):
    """A folder with a CT and, between its images, a dose report, as a router sends it."""
    folder = tmp_path / "study"
    paths = write_ct(folder)
    report = Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID = XRayRadiationDoseSRStorage
    report.SOPInstanceUID = "1.2.3.4.5"
    report.StudyInstanceUID = dcmread(paths[0]).StudyInstanceUID
    report.SeriesInstanceUID, report.Modality, report.PatientID = "1.2.3.4.6", "SR", ""
    report.save_as(folder / "000001a.dcm", enforce_file_format=True)
    return folder


def with_other_objects(tmp_path, what):
    made = node_settings(tmp_path, free_port())
    receiving = made.receiving.model_copy(update={"other_objects": what})
    return made.model_copy(update={"receiving": receiving})


@contextmanager
def port_of(settings, tmp_path):
    completeness = Completeness(QuietRule(1.0), time.monotonic)
    scp = StorageSCP(settings, Inbox(tmp_path / "inbox", 0), completeness)
    scp.start()
    yield scp
    scp.stop(1.0)


def storescu(port, folder):
    command = [
        "storescu",
        "-aet",
        "ROUTER",
        "-aec",
        "VFNODE",
        "+sd",
        "-R",
        "127.0.0.1",
        str(port),
        folder,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK")
@pytest.mark.parametrize(("what", "stored"), [("refuse", 1), ("drop", 4)])
def test_a_router_that_sends_whole_studies_goes_on_where_others_are_dropped(
    what, stored, study, tmp_path
):
    """DCMTK breaks off at a class that is not accepted; caller, class and count are kept."""
    settings = with_other_objects(tmp_path, what)

    with port_of(settings, tmp_path) as scp:
        sent = storescu(settings.node.port, study)
        counts = scp.other_objects.counts()

    assert (sent.returncode == 0) is (what == "drop")
    assert len(list((tmp_path / "inbox").glob("*/*/*/*.dcm"))) == stored
    told = "refused" if what == "refuse" else "dropped"
    assert counts == (NotTaken("ROUTER", "X-Ray Radiation Dose SR Storage", told, 1),)


def test_the_senders_own_command_goes_on_past_what_is_refused(study, tmp_path):
    """`vfnode send`: all images arrive, and what was not taken is said at the end."""
    settings = with_other_objects(tmp_path, "refuse")

    with (
        port_of(settings, tmp_path),
        pytest.raises(DeliveryRefusedError, match=r"^4 of 5 instances stored: .*Dose SR.*\(1\)$"),
    ):
        send_files(sorted(study.iterdir()), "127.0.0.1", settings.node.port, "VFNODE", "TEST")

    assert len(list((tmp_path / "inbox").glob("*/*/*/*.dcm"))) == 4


def test_a_lossy_ct_is_not_taken_even_where_others_are_dropped(tmp_path):
    """It would be a CT without an answer."""
    settings = with_other_objects(tmp_path, "drop")

    with port_of(settings, tmp_path):
        association = associate(settings.node.port, CTImageStorage, [JPEGBaseline8Bit])
        accepted = association.accepted_contexts
        association.abort()

    assert accepted == []


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK")
@pytest.mark.parametrize("uid", ["1.2.826.0.1.3680043.09.1.007", "1.2.3-4", "1" * 65, "study-7"])
def test_a_scanners_study_uid_is_taken_from_dcmtk_however_it_looks(uid, node, tmp_path):
    """Leading zeros, text, 65 characters: 0x0000, and filed under what it says."""
    folder = tmp_path / "odd"
    for path in write_ct(folder, 2):
        item = dcmread(path)
        item.StudyInstanceUID = item.SeriesInstanceUID = uid
        item.save_as(path)

    sent = storescu(node.port, folder)

    assert sent.returncode == 0, sent.stderr
    (key,) = node.inbox.series()
    assert (key.study_instance_uid, key.series_instance_uid) == (uid, uid)
    assert len(node.inbox.instances(key)) == 2
