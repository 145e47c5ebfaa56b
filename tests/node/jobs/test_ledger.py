"""The ledger: entries that may be made twice, and the state of a job from its deliveries."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger

W, D, F, C = JobState.WAITING, JobState.DELIVERED, JobState.FAILED, JobState.CLOSED


@pytest.fixture
def ledger(tmp_path):
    made = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made.register("job", SeriesKey("p", "1.2", "1.2.3"), 4)
    yield made
    made.close()


def test_a_job_is_registered_once(ledger):
    """The second time it keeps the state that it has."""
    ledger.set_state("job", D, "deliver")

    is_new = ledger.register("job", SeriesKey("p", "1.2", "1.2.3"), 4)

    assert not is_new
    assert [(job.state, job.instances) for job in ledger.jobs()] == [(D, 4)]


def test_a_receipt_is_kept_once_and_found_by_destination(ledger):
    """The same object has a receipt from each destination."""
    for _ in range(2):
        ledger.add_receipt("job", "pacs", "9.1", "1.2.840", 0)

    assert ledger.received("pacs", ["9.1", "9.2"]) == {"9.1"}
    assert ledger.received("other", ["9.1"]) == set()
    assert len(ledger.jobs()[0].receipts) == 1
    assert ledger.jobs()[0].receipts[0].stored_at.tzinfo is not None


@pytest.mark.parametrize(
    ("deliveries", "code", "state"),
    [
        ([], "", D),
        ([D, D], "", D),
        ([D, D], "no-spine", JobState.REJECTED),
        ([D, D], "compute-failed", F),
        ([D, W], "", W),
        ([F, W], "", W),
        ([D, F], "", F),
        ([F, F], "no-spine", F),
        ([D, C], "", D),
        ([W, C], "", W),
        ([C, C], "", F),
    ],
)
def test_a_job_stands_where_its_deliveries_stand(ledger, deliveries, code, state):
    """All delivered; else waiting while one may still come; else a person is needed.

    A delivery to a destination that there is no more does not count, unless nobody has the results.
    """
    ledger.set_reason("job", code, "")
    for number, each in enumerate(deliveries):
        ledger.plan_delivery("job", f"d{number}")
        ledger.set_delivery("job", f"d{number}", each, 1, "trouble" if each is not D else "")

    assert ledger.settle("job") is state
    assert ledger.jobs()[0].state is state
    assert ledger.jobs()[0].reason_code == code


def test_deliveries_that_end_at_once_leave_the_job_delivered(ledger):
    """Delivery and job are set in one transaction: whichever is last sees all of them."""

    def deliver(name):
        ledger.set_delivery("job", name, D, 1, "")

    names = [f"d{number}" for number in range(8)]
    for name in names:
        ledger.plan_delivery("job", name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, names))

    assert ledger.jobs()[0].state is D
