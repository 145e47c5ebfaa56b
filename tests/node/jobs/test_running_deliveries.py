"""Deliveries of a whole node in this process to storage SCPs that refuse, wait or are away."""

from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage

from tests.end_to_end.peers import wait_until
from tests.node.factories import fake_child, node_settings, series_uid, write_ct
from tests.node.operations.orders import retry
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs, wait_for
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer

WAIT_S = 120.0


@pytest.fixture
def peer(tmp_path):
    """The PACS; ``answers`` holds the status for each SOP class, Success where none."""
    made = StoragePeer(tmp_path / "pacs")
    yield made
    made.stop()


def destination(port, name="pacs", **more):
    return DestinationSection(
        name=name, ae_title="PACS", port=port, timeout_s=5, first_pause_s=0.2, **more
    )


@pytest.fixture
def control(tmp_path):
    folder = tmp_path / "control"
    folder.mkdir()
    return folder


@pytest.fixture
def images(tmp_path):
    return write_ct(tmp_path / "ct")


def send(settings, images):
    send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")


def finished(settings, images):
    return wait_for(settings, series_uid(images[0]), WAIT_S)


@contextmanager
def node(settings, control, time_limit_s=20.0):
    with running(settings, fake_child(control, time_limit_s)):
        yield


def test_a_refusing_destination_fails_the_job_but_not_the_other_delivery(
    tmp_path, control, images, peer
):
    """The good PACS has its objects; a retry sends only to the one that had none."""
    status = {"now": 0xC000}
    bad = StoragePeer(tmp_path / "bad", answer=lambda _uid: status["now"])
    settings = node_settings(
        tmp_path, free_port(), destination(peer.port, "good"), destination(bad.port, "bad")
    )

    with node(settings, control):
        send(settings, images)
        failed = finished(settings, images)
        status["now"] = 0x0000
        retry(settings, failed.job_id)
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "delivered")
    bad.stop()

    assert failed.state is JobState.FAILED
    assert failed.reason.startswith("bad: ")
    assert "0xC000" in failed.reason
    assert len(peer.requests) == 2
    assert len(bad.stored) == 2
    assert list_jobs(settings)[0].reason == ""


def test_a_destination_that_never_answers_fails_after_its_attempts(tmp_path, control, images):
    """The number of attempts is a setting."""
    settings = node_settings(tmp_path, free_port(), destination(free_port(), attempts=2))

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)

    assert job.state is JobState.FAILED
    assert job.deliveries[0].attempts == 2


@pytest.mark.parametrize(("fracture", "sent"), [(True, 2), (False, 0)])
def test_a_destination_for_positives_gets_no_normal_results(
    fracture, sent, tmp_path, control, images, peer
):
    """The other one gets all; without any for this result the job is done all the same."""
    if fracture:
        (control / "fracture").touch()
    everything = StoragePeer(tmp_path / "all")
    settings = node_settings(
        tmp_path,
        free_port(),
        destination(peer.port, "service", positives_only=True),
        destination(everything.port, "all"),
    )

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)
    everything.stop()

    assert job.state is JobState.DELIVERED
    assert len(peer.requests) == sent
    assert len(everything.requests) == 2


def test_without_destinations_results_stay_in_the_spool(tmp_path, control, images):
    """A site can try the node before it connects a PACS."""
    settings = node_settings(tmp_path, free_port())

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)

    assert job.state is JobState.DELIVERED
    assert job_folder(settings, job.job_id).is_built


def test_a_destination_gets_the_objects_that_it_is_to_have(tmp_path, control, images, peer):
    """A report archive without pictures beside a PACS with all of them."""
    reports = StoragePeer(tmp_path / "reports")
    settings = node_settings(
        tmp_path,
        free_port(),
        destination(peer.port, "pacs"),
        destination(reports.port, "reports", objects=("report",)),
    )

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)
    reports.stop()

    assert job.state is JobState.DELIVERED
    assert [dcmread(path).SOPClassUID for path in reports.stored] == [Comprehensive3DSRStorage]
    assert len(peer.requests) == 2


def test_a_delivery_that_waits_can_be_begun_at_once_by_hand(tmp_path, control, images):
    """When the PACS has been mended nobody wants to wait for the next attempt."""
    port = free_port()
    patient = destination(port).model_copy(update={"first_pause_s": 3600.0})
    settings = node_settings(tmp_path, free_port(), patient)

    with node(settings, control):
        send(settings, images)
        wait_until(lambda: any(job.deliveries for job in list_jobs(settings)), "a delivery")
        wait_until(lambda: has_failed_once(list_jobs(settings)[0]), "the first attempt")
        mended = StoragePeer(tmp_path / "pacs", port=port)
        retry(settings, list_jobs(settings)[0].job_id)
        job = finished(settings, images)
    mended.stop()

    assert job.state is JobState.DELIVERED
    assert job.deliveries[0].attempts == 2


def has_failed_once(job):
    return job.state is JobState.WAITING and "does not answer" in job.deliveries[0].reason
