"""Jobs as seen from outside the node."""

import pytest
from typer.testing import CliRunner

from tests.node.factories import data_set, node_settings, received
from vfnode.cli import app
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import VfnodeError
from vfnode.node.jobs.admin import conflicts, list_jobs, wait_for
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.receiving.inbox import Inbox

KEY = SeriesKey("p", "1.2", "1.2.3")


@pytest.fixture
def settings(tmp_path):
    return node_settings(tmp_path, 11112)


def test_a_node_that_never_ran_has_no_jobs(settings):
    """Looking makes nothing: no spool, no database."""
    assert list_jobs(settings) == []
    assert not settings.node.spool.exists()


def test_waiting_ends_with_the_newest_job_of_the_series(settings):
    """Each state and stage on the way is told once."""
    settings.node.spool.mkdir()
    ledger = Ledger.open(settings.database_url)
    ledger.register("old", KEY, 1)
    ledger.set_state("old", JobState.FAILED)
    ledger.register("new", KEY, 2)
    told = []

    def step_on(job):
        told.append((job.state, job.stage))
        ledger.set_state("new", JobState.DELIVERED, "deliver")

    job = wait_for(settings, KEY.series_instance_uid, 5.0, step_on)
    ledger.close()

    assert job.job_id == "new"
    assert told == [(JobState.WAITING, "queued"), (JobState.DELIVERED, "deliver")]


def test_waiting_has_an_end(settings):
    """The series is named that did not come."""
    with pytest.raises(VfnodeError, match=r"1\.2\.3 has no result after 0 s"):
        wait_for(settings, KEY.series_instance_uid, 0.3)


def test_images_that_came_again_in_other_words_are_shown(settings, tmp_path, monkeypatch):
    """Same image, other header: the first are kept, and `vfnode jobs show` says that they came."""
    inbox = Inbox(inbox_folder(settings), 0)
    first, second = data_set(study="1.2", series="1.2.3"), data_set(study="1.2", series="1.2.3")
    second.Rows = 2
    for item in (first, second):
        key, _ = inbox.put(received(item))
    inbox.drop_version(inbox.instances(key)[0])
    ledger = Ledger.open(settings.database_url)
    ledger.register("job", key, 1)
    ledger.close()
    monkeypatch.setenv("COLUMNS", "300")
    environment = {"VFNODE_NODE__SPOOL": str(settings.node.spool)}

    told = CliRunner().invoke(app, ["jobs", "show", "job"], env=environment).stdout

    assert conflicts(settings, list_jobs(settings)[0]) == 1
    assert "1 images came again with another header; the first were kept" in told
