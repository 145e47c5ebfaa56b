"""Two destinations with every sickness that is known, and a healthy one beside them."""

from tests.end_to_end.chaos import faults_of, run
from tests.end_to_end.sick_pacs import CARDS as OF_A_PACS
from tests.end_to_end.sick_web import CARDS as OF_A_WEB_ARCHIVE
from vfnode.node import clock


def test_every_delivery_ends_as_delivered_waiting_or_failed_and_all_arrive_in_the_end(
    tmp_path, monkeypatch
):
    """Studies flow meanwhile; no receipt for what is not held, nothing sent again, none RUNNING.

    What has failed has failed for what the destination said for certain. The healthy destination
    waits for nobody. When the others have recovered everything is delivered.
    """
    monkeypatch.setattr(clock, "WATCH_S", 1.0)

    outcome = run(tmp_path, seed=20261127, seconds=20.0)

    assert faults_of(outcome) == []
    assert len(outcome.sick) > 3
    assert len(OF_A_PACS) + len(OF_A_WEB_ARCHIVE) > 70
