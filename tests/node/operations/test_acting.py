"""Orders about jobs, given to a real node with a fake compute child and a PACS."""

import time
from contextlib import contextmanager

import pytest
import structlog
from pydicom import dcmread

from tests.end_to_end.peers import wait_until
from tests.node.factories import fake_child, node_settings, series_uid, write_ct
from tests.node.operations.orders import ANNA, retry
from vfnode.errors import VfnodeError
from vfnode.node import clock
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs, wait_for
from vfnode.node.jobs.history import History
from vfnode.node.jobs.job_folder import inbox_folder, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.operations.access import database_of
from vfnode.node.operations.acting import (
    desk,
    plan_delivery,
    plan_purge,
    plan_renewal,
)
from vfnode.node.operations.holding import hold, release
from vfnode.node.operations.journal import Journal
from vfnode.node.operations.plan import carry_out
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """What is looked for every ten seconds is looked for at once."""
    monkeypatch.setattr(clock, "WATCH_S", 0.3)
    monkeypatch.setattr(clock, "ROOM_S", 0.3)


@pytest.fixture
def peer(tmp_path):
    made = StoragePeer(tmp_path / "pacs")
    yield made
    made.stop()


@pytest.fixture
def images(tmp_path):
    return write_ct(tmp_path / "ct")


def pacs(port, name="pacs"):
    return DestinationSection(name=name, ae_title="PACS", port=port, timeout_s=5, first_pause_s=0.2)


@contextmanager
def node(settings, tmp_path):
    with running(settings, fake_child(tmp_path / "control")):
        yield


def done(settings, images):
    """The images sent, and the job when it has ended."""
    send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
    return wait_for(settings, series_uid(images[0]), 120)


def order(settings, plan, *arguments, **more):
    """Give an order; the words of its plan, and how many jobs were changed."""
    with desk(settings, ANNA) as at:
        planned = plan(at, *arguments, **more)
        return [each.words for each in planned], carry_out(planned)


def planned(settings, plan, *arguments):
    """A dry run."""
    with desk(settings, ANNA) as at:
        return [each.words for each in plan(at, *arguments)]


def state_of(settings):
    return list_jobs(settings)[0].state


def test_results_go_to_a_new_destination_once(tmp_path, images, peer):
    """It is planned, done, and a second time there is nothing to do."""
    settings = node_settings(tmp_path, free_port())
    with node(settings, tmp_path):
        job = done(settings, images)
    more = settings.model_copy(update={"destinations": (pacs(peer.port),)})

    with node(more, tmp_path):
        dry = planned(more, plan_delivery, [job.job_id], "pacs")
        before = len(peer.requests)
        first = order(more, plan_delivery, [job.job_id], "pacs")
        wait_until(lambda: len(peer.stored) == 2, "the objects arrive")
        wait_until(lambda: state_of(more) is JobState.DELIVERED, "delivered")
        second = order(more, plan_delivery, [job.job_id], "pacs")

    assert dry == ["2 objects go to pacs"]
    assert before == 0
    assert first == (dry, 1)
    assert second == (["pacs has it already; --again has it asked"], 0)
    assert len(peer.requests) == 2


def test_an_archive_that_lost_objects_gets_them_again(tmp_path, images, peer):
    """Whatever the receipts say; this one cannot be asked, so everything goes."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    with node(settings, tmp_path):
        job = done(settings, images)
        for path in peer.stored:
            path.unlink()
        words, changed = order(settings, plan_delivery, [job.job_id], "pacs", again=True)
        wait_until(lambda: len(peer.stored) == 2, "the objects are back")
        wait_until(lambda: state_of(settings) is JobState.DELIVERED, "delivered")

    assert (words, changed) == (["2 objects go to pacs where it lacks them"], 1)


def test_a_series_is_analysed_anew_and_its_report_replaced(tmp_path, images, peer):
    """The old results stay valid until then; who and why stands in the story."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    with node(settings, tmp_path):
        job = done(settings, images)
        folder = job_folder(settings, job.job_id)
        first = dcmread(folder.results / "report.sr.dcm").SOPInstanceUID
        words, changed = order(settings, plan_renewal, [job.job_id])
        wait_until(lambda: list_jobs(settings)[0].run == 2, "the second run")
        wait_until(lambda: state_of(settings) is JobState.DELIVERED, "delivered")
        wait_until(folder.results.exists, "results")

    assert changed == 1
    assert "stays valid until then" in words[0]
    kept = dcmread(folder.path / "replaced" / "report.sr.dcm").SOPInstanceUID
    assert kept == first
    assert (tmp_path / "control" / "requests").read_text().split() == ["compute", "build"] * 2
    with database_of(settings) as engine:
        told = [event.text for event in History(engine).of(job.job_id)]
        (action,) = Journal(engine).all()
    assert "reanalyse by anna: the PACS is back" in told
    assert (action.action, action.who, action.reason) == ("reanalyse", "anna", "the PACS is back")


def test_what_cannot_be_analysed_anew_says_why(tmp_path, images, peer):
    """Its images are gone, or it is being worked on."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    with node(settings, tmp_path):
        job = done(settings, images)
    for path in inbox_folder(settings).rglob("*.dcm"):
        path.unlink()

    assert order(settings, plan_renewal, [job.job_id]) == (
        ["its images are no longer in the spool"],
        0,
    )


def test_a_finished_job_is_let_go_of_by_the_running_node(tmp_path, images, peer):
    """Images and results; done twice it has no further effect."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    with node(settings, tmp_path):
        job = done(settings, images)
        words, changed = order(settings, plan_purge, [job.job_id])
        wait_until(lambda: not job_folder(settings, job.job_id).path.exists(), "removed")
        again = order(settings, plan_purge, [job.job_id])

    assert changed == 1
    assert words[0].startswith("4 images (0 MB) and its results")
    assert list(inbox_folder(settings).rglob("*.dcm")) == []
    assert again == (["nothing of it is in the spool"], 0)


def test_what_waits_is_never_removed(tmp_path, images):
    """Nobody has it yet."""
    settings = node_settings(tmp_path, free_port(), pacs(free_port()))
    with node(settings, tmp_path):
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        wait_until(lambda: bool(list_jobs(settings)), "a job")
        wait_until(lambda: bool(list_jobs(settings)[0].reason), "it waits")
        job = list_jobs(settings)[0]

        words, changed = order(settings, plan_purge, [job.job_id])

    assert changed == 0
    assert "is never removed" in words[0]


def test_a_held_destination_gets_nothing_until_it_is_released(tmp_path, images, peer):
    """Its delivery waits and says who holds it; after the release it goes by itself."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    with node(settings, tmp_path):
        first, second = (hold(settings, "pacs", ANNA) for _ in range(2))
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        wait_until(
            lambda: any("held by anna" in job.reason for job in list_jobs(settings)), "it waits"
        )
        time.sleep(1.0)
        held = len(peer.requests)
        released, again = (release(settings, "pacs", ANNA) for _ in range(2))
        wait_until(lambda: state_of(settings) is JobState.DELIVERED, "delivered")

    assert (first, second, released, again) == (True, False, True, False)
    assert held == 0
    assert len(peer.requests) == 2
    with database_of(settings) as engine:
        assert [each.action for each in Journal(engine).all()] == ["hold", "release"]


def test_only_a_destination_that_there_is_can_be_held(tmp_path):
    """A name with a typing error would hold nothing."""
    settings = node_settings(tmp_path, free_port(), pacs(104))

    with pytest.raises(VfnodeError, match=r"no destination pasc .*there are: pacs"):
        hold(settings, "pasc", ANNA)


def test_a_failed_job_is_begun_once_however_often_it_is_ordered(tmp_path, images, peer):
    """While the node is down two people order the same."""
    settings = node_settings(tmp_path, free_port(), pacs(peer.port))
    peer._answer = lambda _uid: 0x0122
    with node(settings, tmp_path):
        job = done(settings, images)
    assert job.state is JobState.FAILED
    peer._answer = lambda _uid: 0

    changed = [retry(settings, job.job_id) for _ in range(2)]
    with node(settings, tmp_path):
        wait_until(lambda: state_of(settings) is JobState.DELIVERED, "delivered")

    assert changed == [1, 0]
    assert list_jobs(settings)[0].run == 2


def test_an_action_stands_in_the_log_of_the_node(tmp_path):
    """It was done in another process; it is told once, with who and why."""
    settings = node_settings(tmp_path, free_port(), pacs(104))
    with node(settings, tmp_path):
        pass
    hold(settings, "pacs", ANNA)

    with database_of(settings) as engine, structlog.testing.capture_logs() as lines:
        Journal(engine).tell()
        Journal(engine).tell()

    (line,) = lines
    assert (line["event"], line["action"], line["subject"]) == ("action", "hold", "pacs")
    assert (line["who"], line["reason"]) == ("anna", "the PACS is back")


def test_after_a_lost_database_the_archive_is_asked_before_anything_is_sent(tmp_path, images):
    """What it has is not sent again; the story of the job says why it was asked."""
    place = tmp_path / "share"
    place.mkdir()
    share = DestinationSection(name="share", kind="folder", folder=place)
    settings = node_settings(tmp_path, free_port(), share)
    with node(settings, tmp_path):
        done(settings, images)
    written = {path: path.stat().st_mtime_ns for path in place.rglob("*.dcm")}
    for file in settings.node.spool.glob("vfnode.sqlite*"):
        file.unlink()

    with node(settings, tmp_path):
        job = wait_for(settings, series_uid(images[0]), 120)

    assert job.state is JobState.DELIVERED
    assert [receipt.evidence for receipt in job.receipts] == ["query", "query"]
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.dcm")} == written
    assert (tmp_path / "control" / "requests").read_text().split() == ["compute", "build"]
    with database_of(settings) as engine:
        told = [event.text for event in History(engine).of(job.job_id)]
    assert any("archives are asked" in text for text in told)
