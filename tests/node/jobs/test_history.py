"""The story of a job, and holds of destinations."""

import pytest

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.jobs.history import EventKind
from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    made = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made.register("job", SeriesKey("p", "1.2", "1.2.3"), 4, "CT1@192.0.2.7", 2_000_000)
    yield made
    made.close()


def test_a_job_knows_who_sent_it_and_how_much(ledger):
    """And the grade of its patient once there is one."""
    ledger.set_grade("job", "moderate")

    job = ledger.jobs()[0]
    assert (job.sender, job.image_bytes, job.grade) == ("CT1@192.0.2.7", 2_000_000, "moderate")


def test_each_stage_is_a_line_of_the_story(ledger):
    """In order, with its time in UTC; a change of state alone is none."""
    for stage in ("assemble", "compute", None, "build"):
        ledger.set_state("job", JobState.RUNNING, stage)
    ledger.history.note("job", EventKind.ATTEMPT, "PACS does not answer", "pacs")

    story = ledger.history.of("job")

    assert [line.text for line in story][:3] == ["assemble", "compute", "build"]
    assert (story[3].kind, story[3].destination) == (EventKind.ATTEMPT, "pacs")
    assert story[0].at.utcoffset().total_seconds() == 0
    assert ledger.history.of("other") == []


def test_a_destination_is_held_once_and_released_once(ledger):
    """The first hold stays, with who and why; doing it twice changes nothing."""
    holds = Holds(ledger.engine)

    assert holds.hold("pacs", "anna", "moves to a new server")
    assert not holds.hold("pacs", "ben", "other")
    assert str(holds.held()["pacs"]).endswith("UTC: moves to a new server")
    assert holds.held()["pacs"].who == "anna"
    assert holds.release("pacs")
    assert not holds.release("pacs")
    assert holds.held() == {}
