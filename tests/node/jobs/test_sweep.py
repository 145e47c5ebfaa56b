"""No state outlives its worker: what has lost its workflow is taken up, closed or failed."""

import sqlite3
from contextlib import contextmanager

import pytest

from tests.end_to_end.peers import wait_until
from tests.node.factories import fake_child, node_settings, write_ct
from vfnode.node import clock
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.delivery_entries import Unfinished
from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.sweep import Waiting, orphaned, overdue
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer

DAY_MS = 86_400_000.0


@pytest.mark.parametrize(
    ("alive", "orphans"),
    [
        ([], ["pacs", "web"]),
        (["job/1/pacs/3"], ["web"]),
        (["job/1"], []),  # it is just making its deliveries
        (["job/2/pacs/1", "job/1/web/7+2"], []),
        (["other/1/pacs/1"], ["pacs", "web"]),
    ],
)
def test_a_delivery_without_a_living_workflow_is_an_orphan(alive, orphans):
    """Whatever attempt or run the workflow is of."""
    unfinished = [Unfinished("job", 1, name, 2) for name in ("pacs", "web")]

    assert [each.destination for each in orphaned(unfinished, alive)] == orphans


@pytest.mark.parametrize(
    ("made_ms", "begins_ms", "now_ms", "is_overdue"),
    [
        (1000.0, 6000.0, 2000.0, False),
        (1000.0, 6000.0, 9000.0, False),  # due anyway
        (DAY_MS, DAY_MS + 5000, DAY_MS - 7_200_000, True),  # the clock was two hours ahead
        (0.0, 400 * DAY_MS, 0.0, True),  # a year, which nobody asks for
    ],
)
def test_a_wait_that_is_longer_than_it_was_meant_is_over(made_ms, begins_ms, now_ms, is_overdue):
    """A clock that was wrong when it began must not put a result off."""
    waiting = [Waiting("id", made_ms, begins_ms)]

    assert bool(overdue(waiting, now_ms)) is is_overdue


@pytest.fixture(autouse=True)
def quick_watch(monkeypatch):
    monkeypatch.setattr(clock, "WATCH_S", 0.3)


@pytest.fixture
def images(tmp_path):
    return write_ct(tmp_path / "ct")


def section(port, name="pacs", first_pause_s=3600.0):
    return DestinationSection(
        name=name,
        ae_title="PACS",
        port=port,
        timeout_s=5,
        first_pause_s=first_pause_s,
        longest_pause_s=first_pause_s,
    )


@contextmanager
def waiting_node(tmp_path, images, *sections):
    """A node that was stopped while its deliveries wait for an hour; gives its settings."""
    settings = node_settings(tmp_path, free_port(), *sections)
    with running(settings, fake_child(tmp_path / "control")):
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        wait_until(lambda: has_tried(settings), "each destination was tried")
    yield settings


def has_tried(settings):
    ways = [way for job in list_jobs(settings) for way in job.deliveries]
    return bool(ways) and all(way.reason for way in ways)


def spoil(settings, statement):
    with sqlite3.connect(settings.node.spool / "vfnode.sqlite") as database:
        database.execute(statement)


DIE = "UPDATE workflow_status SET status = 'ERROR' WHERE status = 'DELAYED'"


def test_a_delivery_whose_workflow_has_died_is_taken_up(tmp_path, images):
    """It stood as RUNNING and nobody worked on it: after a start it is delivered."""
    port = free_port()
    with waiting_node(tmp_path, images, section(port)) as settings:
        spoil(settings, DIE)
        spoil(settings, "UPDATE vfnode_deliveries SET state = 'RUNNING'")
        spoil(settings, "UPDATE vfnode_jobs SET state = 'RUNNING'")
        peer = StoragePeer(tmp_path / "pacs", port=port)
        with running(settings, fake_child(tmp_path / "control")):
            wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "taken up")
        peer.stop()

    assert len(peer.requests) == 2


def test_a_delivery_that_waits_by_a_wrong_clock_begins_at_once(tmp_path, images):
    """Its time lies a year ahead, as it was set before somebody mended the clock."""
    port = free_port()
    with waiting_node(tmp_path, images, section(port)) as settings:
        year_ms = 365 * 86_400_000
        spoil(
            settings,
            "UPDATE workflow_status SET created_at = created_at + "
            f"{year_ms}, delay_until_epoch_ms = delay_until_epoch_ms + {year_ms} "
            "WHERE status = 'DELAYED'",
        )
        peer = StoragePeer(tmp_path / "pacs", port=port)
        with running(settings, fake_child(tmp_path / "control")):
            wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "delivered")
        peer.stop()


def test_an_analysis_whose_workflow_has_died_is_run_again(tmp_path, images):
    """As after a database that was away for longer than anybody's patience."""
    control = tmp_path / "control"
    settings = node_settings(tmp_path, free_port())
    child = fake_child(control)
    (control / "hold-compute").touch()
    with running(settings, child):
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        wait_until(lambda: [j.stage for j in list_jobs(settings)] == ["compute"], "compute")
    spoil(settings, "UPDATE workflow_status SET status = 'ERROR' WHERE status = 'PENDING'")
    (control / "hold-compute").unlink()

    with running(settings, child):
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "run again")

    assert list_jobs(settings)[0].run == 2


def test_a_destination_that_was_removed_closes_its_deliveries_in_words(tmp_path, images):
    """The job stands where its other deliveries stand."""
    port = free_port()
    sections = [section(port, "pacs"), section(free_port(), "old")]
    with waiting_node(tmp_path, images, *sections) as settings:
        kept = settings.model_copy(update={"destinations": (section(port, "pacs"),)})
        with running(kept, fake_child(tmp_path / "control")):
            wait_until(lambda: state_of_way(settings, "old") is JobState.CLOSED, "closed")
            before = list_jobs(settings)[0]
        none = settings.model_copy(update={"destinations": ()})
        with running(none, fake_child(tmp_path / "control")):
            wait_until(lambda: state_of_way(settings, "pacs") is JobState.CLOSED, "closed")
            after = list_jobs(settings)[0]

    assert before.state is JobState.WAITING
    assert "old: the destination is no longer in the settings" in before.reason
    assert after.state is JobState.FAILED


def state_of_way(settings, name):
    ways = {way.destination: way.state for way in list_jobs(settings)[0].deliveries}
    return ways[name]


def test_a_destination_that_is_held_gets_nothing_until_it_is_released(tmp_path, images):
    """Then what has waited for it goes by itself."""
    peer = StoragePeer(tmp_path / "pacs")
    settings = node_settings(tmp_path, free_port(), section(peer.port))
    ledger = Ledger.open(settings_database(settings))
    holds = Holds(ledger.engine)
    holds.hold("pacs", "anna", "new server")
    with running(settings, fake_child(tmp_path / "control")):
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        wait_until(lambda: has_tried(settings), "it is held")
        held, got = list_jobs(settings)[0], list(peer.requests)
        holds.release("pacs")
        wait_until(lambda: list_jobs(settings)[0].state is JobState.DELIVERED, "released")
    ledger.close()
    peer.stop()

    assert (held.state, got) == (JobState.WAITING, [])
    assert "held by anna" in held.reason
    assert list_jobs(settings)[0].deliveries[0].attempts == 1


def settings_database(settings):
    settings.node.spool.mkdir(parents=True)
    return settings.database_url
