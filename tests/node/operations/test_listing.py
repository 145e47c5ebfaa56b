"""Jobs as a list, found by what an operator knows of them."""

import time
from datetime import timedelta

import pytest

from tests.node.operations.ledgers import (
    CT1,
    NOON,
    add_delivery,
    add_job,
    add_many,
    job_id,
    settings_of,
)
from vfnode.errors import NoSpoolError, UnknownJobError
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.operations.access import database_of
from vfnode.node.operations.listing import JobFilter, list_jobs
from vfnode.node.operations.naming import job_id as named
from vfnode.node.operations.naming import job_ids
from vfnode.node.settings.machine import NodeSection
from vfnode.node.settings.settings import Settings

LIMIT_S = 1.0  #: of CPU time, for ten thousand jobs


@pytest.fixture
def ledger(tmp_path):
    settings = settings_of(tmp_path / "spool")
    made = Ledger.open(settings.database_url)
    yield made
    made.close()


@pytest.fixture
def three(ledger):
    """A delivered one, a failed one of another sender, and one that waits for two destinations."""
    add_job(ledger, 0)
    add_job(ledger, 1, state="FAILED", sender="CT2@192.0.2.8", reason_code="compute-failed")
    add_job(ledger, 2, state="WAITING", grade="severe")
    for name in ("web", "pacs"):
        add_delivery(ledger, job_id(2), name, JobState.WAITING, 1)
    return ledger


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (JobFilter(), [0, 1, 2]),
        (JobFilter(states=["FAILED", "WAITING"]), [1, 2]),
        (JobFilter(grades=["severe"]), [2]),
        (JobFilter(since=NOON + timedelta(minutes=1)), [1, 2]),
        (JobFilter(sender="CT1"), [0, 2]),
        (JobFilter(sender=CT1), [0, 2]),
        (JobFilter(sender="CT"), []),
        (JobFilter(destination="pacs"), [2]),
        (JobFilter(study_instance_uid="1.2.826.0.1.1"), [1]),
        (JobFilter(series_instance_uid="1.2.826.0.1.0.2"), [0]),
        (JobFilter(reason_code="compute-failed"), [1]),
        (JobFilter(limit=2), [1, 2]),
        (JobFilter(states=["FAILED"], sender="CT1"), []),
    ],
)
def test_jobs_are_found_by_what_is_known_of_them(three, wanted, numbers):
    """Oldest first; a limit keeps the newest."""
    found = [job.job_id for job in list_jobs(three.engine, wanted)]

    assert found == [job_id(number) for number in numbers]


def test_a_job_is_listed_with_its_deliveries(three):
    """Each destination with its own state."""
    job = list_jobs(three.engine)[2]

    assert job.deliveries == {"pacs": "WAITING", "web": "WAITING"}
    assert (job.sender, job.received_at) == (CT1, NOON + timedelta(minutes=2))


def test_ten_thousand_jobs_are_listed_in_under_a_second(ledger):
    """With the deliveries of each; two thousand took 20 s once, and ten thousand 475 s."""
    add_many(ledger, 10_000)
    began_s = time.process_time()

    found = list_jobs(ledger.engine)

    assert time.process_time() - began_s < LIMIT_S
    assert len(found) == 10_000
    assert found[-1].deliveries == {"pacs": "DELIVERED", "web": "DELIVERED"}


def test_a_job_is_named_by_any_unique_beginning(three):
    """Also in capitals; of several names each job comes once."""
    assert named(three.engine, job_id(1)[:4]) == job_id(1)
    assert named(three.engine, job_id(1)[:6].upper()) == job_id(1)
    assert job_ids(three.engine, [job_id(2), job_id(0)[:5], job_id(2)[:5]]) == [
        job_id(2),
        job_id(0),
    ]


def test_a_job_is_named_by_its_study_or_its_series(three):
    """Of a study that has several, all are meant."""
    add_job(three, 3, study_instance_uid="1.2.826.0.1.1")

    assert job_ids(three.engine, ["1.2.826.0.1.0.2"]) == [job_id(0)]
    assert job_ids(three.engine, ["1.2.826.0.1.1"]) == [job_id(1), job_id(3)]
    with pytest.raises(UnknownJobError, match="give more of the one you mean"):
        named(three.engine, "1.2.826.0.1.1")


@pytest.mark.parametrize("name", ["zzz", "1.2.3", "", "%", "_"])
def test_a_name_that_means_no_job_is_told(three, name):
    """Signs of the database's own are letters like others."""
    with pytest.raises(UnknownJobError, match=r"no job.*vfnode jobs"):
        job_ids(three.engine, [name])


def test_a_beginning_of_several_jobs_names_them(ledger):
    """So that the next one typed is right."""
    shared: dict[str, list[str]] = {}
    for number in range(40):
        shared.setdefault(add_job(ledger, number)[0], []).append(job_id(number))
    letter, found = next((k, v) for k, v in shared.items() if len(v) > 3)

    with pytest.raises(UnknownJobError, match=f"{letter} is the beginning of") as caught:
        job_ids(ledger.engine, [letter])

    assert str(caught.value).count(", ") == 2
    assert "and others" in str(caught.value)
    assert found[0] in str(caught.value)


def test_outside_a_spool_nothing_is_made(tmp_path):
    """And the way to the right one is told."""
    settings = Settings(node=NodeSection(spool=tmp_path / "absent"))

    with pytest.raises(NoSpoolError, match=r"there is no spool .*absent.*--settings FILE"):
        database_of(settings).__enter__()

    assert list(tmp_path.iterdir()) == []


def test_a_spool_without_a_database_stays_without(tmp_path):
    """Somebody deleted it: an empty list would hide that."""
    settings = settings_of(tmp_path / "spool")

    with pytest.raises(NoSpoolError, match=r"holds no database .*vfnode\.sqlite"):
        database_of(settings).__enter__()

    assert list(settings.node.spool.iterdir()) == []
