"""What the spool lets go of, and what it keeps."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.node.factories import data_set, fake_child, node_settings, received
from vfnode.dicom.reading.series_key import series_key
from vfnode.durable_files import write_json
from vfnode.node.compute.client import ComputeClient
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.retention import make_room, purge
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.tables import jobs

KEY = series_key(data_set())


@pytest.fixture
def parts(tmp_path):
    """A finished job of one instance, eight days old; seven are kept."""
    settings = node_settings(tmp_path, 11112)
    settings.node.spool.mkdir()
    inbox = Inbox(tmp_path / "inbox", 0)
    inbox.put(received(data_set()))
    ledger = Ledger.open(settings.database_url)
    ledger.register("job", KEY, 1)
    folder = job_folder(settings, "job")
    write_json(folder.instances, [str(path) for path in inbox.instances(KEY)])
    compute = ComputeClient(fake_child(tmp_path / "control"))
    commitments = Commitments(CommitmentBook(ledger.engine), {}, ledger.reopen)
    yield Parts(settings, inbox, ledger, compute, {}, commitments)
    ledger.close()


def age(parts, state, days):
    parts.ledger.set_state("job", state)
    moment = datetime.now(UTC) - timedelta(days=days)
    with parts.ledger._engine.begin() as connection:
        connection.execute(update(jobs).values(updated_at=moment))


@pytest.mark.parametrize(
    ("state", "days", "images_stay", "results_stay"),
    [
        (JobState.DELIVERED, 8, False, True),
        (JobState.DELIVERED, 31, False, False),
        (JobState.REJECTED, 31, False, False),
        (JobState.DELIVERED, 6, True, True),
        (JobState.FAILED, 100, True, True),
        (JobState.WAITING, 100, True, True),
    ],
)
def test_only_finished_jobs_of_some_age_are_removed(parts, state, days, images_stay, results_stay):
    """What a person or a PACS still waits for is kept without limit."""
    age(parts, state, days)

    purge(parts, Completeness(QuietRule(1.0), time.monotonic))

    assert bool(parts.inbox.instances(KEY)) is images_stay
    assert job_folder(parts.settings, "job").path.exists() is results_stay
    assert len(parts.ledger.jobs()) == 1


def test_a_series_that_arrives_again_is_left_alone(parts):
    """Its instances may be the first half of a resend."""
    age(parts, JobState.DELIVERED, 8)
    completeness = Completeness(QuietRule(1.0), time.monotonic)
    completeness.found([KEY])

    purge(parts, completeness)

    assert len(parts.inbox.instances(KEY)) == 1


def test_images_that_an_unfinished_job_needs_stay(parts):
    """Late slices made another job of the same series, and it has failed."""
    age(parts, JobState.DELIVERED, 8)
    parts.ledger.register("later", KEY, 2)
    parts.ledger.set_state("later", JobState.FAILED)

    purge(parts, Completeness(QuietRule(1.0), time.monotonic))

    assert len(parts.inbox.instances(KEY)) == 1


@pytest.mark.parametrize(
    ("state", "free_mb", "stays"),
    [
        (JobState.DELIVERED, 4095, False),
        (JobState.DELIVERED, 4097, True),
        (JobState.WAITING, 1, True),
        (JobState.FAILED, 1, True),
    ],
)
def test_room_is_made_of_what_has_been_delivered_alone(parts, state, free_mb, stays, monkeypatch):
    """Before its days are over where the disk runs full; never of what a PACS has not got."""
    age(parts, state, 1)
    usage = type("Usage", (), {"free": free_mb * 1_000_000})
    monkeypatch.setattr("vfnode.node.jobs.retention.shutil.disk_usage", lambda _path: usage)

    make_room(parts, Completeness(QuietRule(1.0), time.monotonic))

    assert bool(parts.inbox.instances(KEY)) is stays
