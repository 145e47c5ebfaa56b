"""A whole node in this process, with a fake compute child and a storage SCP as PACS."""

import json
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from pydicom import dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
)

from tests.end_to_end.peers import wait_until
from tests.node.factories import FACTS, fake_child, node_settings, series_uid, write_ct
from tests.node.operations.orders import retry
from vfnode.errors import (
    DeliveryDeferredError,
    InstallationError,
    SettingsError,
)
from vfnode.node import clock
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs import analysis_steps
from vfnode.node.jobs.admin import list_jobs, wait_for
from vfnode.node.jobs.job_folder import inbox_folder, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.readiness import read_readiness
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


def test_a_series_is_received_analysed_and_delivered(tmp_path, control, images, peer):
    """A receipt for each object; the results stand in the spool as well."""
    settings = node_settings(tmp_path, free_port(), destination(peer.port))
    seen = []

    with node(settings, control):
        send(settings, images)
        job = wait_for(settings, series_uid(images[0]), WAIT_S, lambda now: seen.append(now.state))

    assert job.state is JobState.DELIVERED
    assert job.instances == 4
    assert seen[-1] is JobState.DELIVERED
    assert {receipt.sop_class_uid for receipt in job.receipts} == {
        Comprehensive3DSRStorage,
        SecondaryCaptureImageStorage,
    }
    assert (job_folder(settings, job.job_id).results / "report.sr.dcm").exists()
    assert len(peer.requests) == 2


def test_one_crash_of_the_child_is_tried_again(tmp_path, control, images, peer):
    """The second attempt delivers."""
    (control / "crash-once").touch()
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)

    assert job.state is JobState.DELIVERED


@pytest.mark.parametrize(
    ("trouble", "reason"), [("crash", "died (exit code 3)"), ("hang", "no result within 4 s")]
)
def test_a_series_that_always_kills_the_child_fails_and_can_be_retried(
    trouble, reason, tmp_path, control, images, peer
):
    """FAILED with the reason, and told to the PACS; a person starts it again."""
    (control / trouble).touch()
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control, time_limit_s=4.0):
        send(settings, images)
        failed = finished(settings, images)
        (control / trouble).unlink()
        retry(settings, failed.job_id)
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "delivered")

    assert failed.state is JobState.FAILED
    assert reason in failed.reason
    assert list_jobs(settings)[0].run == 2
    asked = (control / "requests").read_text().split()
    assert asked == ["compute", "compute", "build", "compute", "build"]
    assert len(failed.receipts) == 2


def test_an_unsuitable_series_is_rejected_with_its_code(tmp_path, control, images, peer):
    """Final: there is nothing to retry; the PACS is told why nothing was measured."""
    (control / "reject").touch()
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control):
        send(settings, images)
        job = finished(settings, images)
        assert retry(settings, job.job_id) == 0

    assert (job.state, job.reason_code) == (JobState.REJECTED, "too-few-slices")
    assert len(peer.requests) == 2


def test_a_restarted_node_looks_at_its_inbox_and_begins_nothing_twice(
    tmp_path, control, images, peer
):
    """Instances that were acknowledged before a stop are analysed after it, once.

    Also where what stands in the spool of the choice was damaged.
    """
    settings = node_settings(tmp_path, free_port(), destination(peer.port))
    with node(settings, control):
        send(settings, images)

    for _ in range(2):
        with node(settings, control):
            job = finished(settings, images)
        job_folder(settings, job.job_id).choice.write_bytes(b"")

    assert job.state is JobState.DELIVERED
    assert len(list_jobs(settings)) == 1
    assert len(peer.requests) == 2


def test_a_series_that_takes_the_node_down_time_and_again_fails(tmp_path, control, images):
    """Its workflow is recovered no more, which a person has to see."""
    (control / "hold-compute").touch()
    settings = node_settings(tmp_path, free_port())
    with node(settings, control):
        send(settings, images)
        wait_until(lambda: [j.stage for j in list_jobs(settings)] == ["compute"], "compute")
    with sqlite3.connect(settings.node.spool / "vfnode.sqlite") as database:
        database.execute("UPDATE workflow_status SET recovery_attempts = 1000")

    with node(settings, control):
        job = finished(settings, images)

    assert job.state is JobState.FAILED
    assert "the node died 20 times" in job.reason


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK")
def test_a_sender_that_breaks_off_and_sends_again_makes_one_whole_job(
    tmp_path, control, images, peer
):
    """What was acknowledged stays; the rest comes with the resend before the series is quiet."""
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control):
        break_off(settings, images[:3])
        held = {path.stem for path in inbox_folder(settings).glob("*/*/*/*.dcm")}
        send(settings, images)
        job = finished(settings, images)

    assert held == {str(dcmread(path).SOPInstanceUID) for path in images[:3]}
    assert job.state is JobState.DELIVERED
    assert [each.instances for each in list_jobs(settings)] == [4]


def break_off(settings, images):
    """Send some images, each of which is acknowledged, and abort the association."""
    called = ("-aec", "VFNODE", "-aet", "TEST", "127.0.0.1", str(settings.node.port))
    subprocess.run(["storescu", "--abort", *called, *map(str, images)], check=True, timeout=WAIT_S)


def test_several_senders_at_once_lose_nothing(tmp_path, control, peer):
    """Four studies over four associations, instances of all of them in turn."""
    settings = node_settings(tmp_path, free_port(), destination(peer.port))
    studies = [
        write_ct(tmp_path / f"ct{n}", facts=replace(FACTS, seed=f"sender {n}")) for n in range(4)
    ]

    with node(settings, control):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(partial(send, settings), studies))
        jobs = [finished(settings, images) for images in studies]

    assert [job.state for job in jobs] == [JobState.DELIVERED] * 4
    assert [job.instances for job in jobs] == [4] * 4
    assert len(peer.requests) == len(set(peer.requests)) == 8


def test_late_slices_make_another_job(tmp_path, control, images, peer):
    """The first result was true of what was there; the second is of all of it."""
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control):
        send(settings, images[:3])
        finished(settings, images)
        send(settings, images[3:])
        wait_until(lambda: len(list_jobs(settings)) == 2, "two jobs")
        job = finished(settings, images)

    assert [each.instances for each in list_jobs(settings)] == [3, 4]
    assert job.instances == 4
    first, later = (job_folder(settings, each.job_id).results for each in list_jobs(settings))
    result = json.loads((later / "result.json").read_text())
    assert result["replaces"] == str(first / "report.sr.dcm")


def test_a_second_node_on_the_same_spool_is_refused(tmp_path, control):
    """Both would do its work."""
    settings = node_settings(tmp_path, free_port())

    with (
        node(settings, control),
        pytest.raises(InstallationError, match=r"node\.spool: .* in use by another node"),
        node(settings, control),
    ):
        pass


def test_a_node_without_models_does_not_start(tmp_path, peer):
    """The real compute child, with a models folder that is empty: a person has to know at once."""
    (tmp_path / "models").mkdir()
    plain = node_settings(tmp_path, free_port(), destination(peer.port))
    compute = plain.compute.model_copy(update={"models": tmp_path / "models", "time_limit_s": 60})
    settings = plain.model_copy(update={"compute": compute})

    with pytest.raises(SettingsError, match=r"compute\.models"), running(settings):
        pass


def test_a_node_whose_models_go_while_it_runs_waits_and_says_so(
    tmp_path, control, images, peer, monkeypatch
):
    """NOT READY, refused to senders where the site wants that; when they are back it goes on."""
    monkeypatch.setattr(clock, "WATCH_S", 0.3)
    monkeypatch.setattr(analysis_steps, "FIRST_PAUSE_S", 0.5)
    plain = node_settings(tmp_path, free_port(), destination(peer.port))
    refusing = plain.receiving.model_copy(update={"refuse_when_not_ready": True})
    settings = plain.model_copy(update={"receiving": refusing})
    more = write_ct(tmp_path / "more", facts=replace(FACTS, seed="more"))

    with node(settings, control):
        (control / "crash-once").touch()
        (control / "not-ready").write_text("no model for the spine")
        send(settings, images)
        wait_until(lambda: [j.state for j in list_jobs(settings)] == [JobState.WAITING], "waits")
        wait_until(lambda: "no model" in list_jobs(settings)[0].reason, "with a reason")
        wait_until(lambda: trouble_of(settings) != "", "told")
        told = trouble_of(settings)
        with pytest.raises(DeliveryDeferredError, match="0xA700"):
            send(settings, more)
        (control / "not-ready").unlink()
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "goes on")
        wait_until(lambda: trouble_of(settings) == "", "ready again")
        send(settings, more)

    assert told == "no model for the spine"


def trouble_of(settings):
    told = read_readiness(settings.node.spool)
    assert told is not None
    return told.trouble


def test_a_disk_that_is_full_at_compute_fails_nothing(tmp_path, control, images, peer, monkeypatch):
    """The job waits with the reason, and goes on by itself when there is room."""
    monkeypatch.setattr(analysis_steps, "FIRST_PAUSE_S", 0.5)
    (control / "full-disk").touch()
    settings = node_settings(tmp_path, free_port(), destination(peer.port))

    with node(settings, control):
        send(settings, images)
        wait_until(lambda: [j.state for j in list_jobs(settings)] == [JobState.WAITING], "waits")
        wait_until(lambda: "disk" in list_jobs(settings)[0].reason, "a reason")
        reason = list_jobs(settings)[0].reason
        (control / "full-disk").unlink()
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "goes on")

    assert reason == "this machine: the disk is full"
    assert list_jobs(settings)[0].reason == ""
    assert len(peer.requests) == 2
