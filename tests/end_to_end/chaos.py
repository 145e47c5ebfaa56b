"""Studies flow to two sick destinations and a healthy one; then the sick ones recover.

``python -m tests.end_to_end.chaos --seconds 600 --seed 1``: the long form of test_chaos.py.
"""

import argparse
import random
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.end_to_end import sick_pacs, sick_web
from tests.end_to_end.peers import wait_until
from tests.end_to_end.sick_pacs import SickPacs
from tests.end_to_end.sick_web import SickWeb
from tests.node.factories import FACTS, fake_child, node_settings, write_ct
from tests.node.operations.orders import retry
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer

ENDED = {JobState.DELIVERED, JobState.WAITING, JobState.FAILED}
FINAL_WORDS = {"pacs": sick_pacs.FINAL_WORDS, "web": sick_web.FINAL_WORDS}
OBJECTS = 2  #: that the fake compute child makes of each study


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    sick: list[Job]  #: when the sick destinations were held, and every attempt had ended
    well: list[Job]  #: when they had recovered
    pacs: SickPacs
    web: SickWeb
    healthy: StoragePeer


def run(folder: Path, seed: int, seconds: float) -> Outcome:
    """Send studies until every behaviour was met and the time is over; then let them recover."""
    pacs, web, healthy = SickPacs(seed), SickWeb(seed), StoragePeer(folder / "healthy")
    quick: dict[str, Any] = {"timeout_s": 0.7, "attempt_timeout_s": 2.5, "attempts": 100_000}
    quick |= {"first_pause_s": 0.1, "longest_pause_s": 0.3}
    settings = node_settings(
        folder,
        free_port(),
        DestinationSection(name="pacs", ae_title="PACS", port=pacs.port, **quick),
        DestinationSection(name="web", kind="stow", url=web.url, **quick),
        DestinationSection(name="healthy", ae_title="PACS", port=healthy.port),
    )
    try:
        with running(settings, fake_child(folder / "control")):
            _make_studies(settings, folder, pacs, web, seconds)
            with _held(settings):
                wait_until(lambda: _have_ended(settings), "every attempt has ended", 60)
                sick = list_jobs(settings)
            pacs.deck.recover()
            web.deck.recover()
            wait_until(lambda: _is_over(settings), "all is delivered", 300)
            return Outcome(sick, list_jobs(settings), pacs, web, healthy)
    finally:
        for peer in (pacs, web, healthy):
            peer.stop()


def _make_studies(
    settings: Settings, folder: Path, pacs: SickPacs, web: SickWeb, seconds: float
) -> None:
    end_s, number = time.monotonic() + seconds, 0
    while time.monotonic() < end_s and (seconds > 60 or pacs.deck.undrawn or web.deck.undrawn):
        number += 1
        images = write_ct(folder / f"ct{number}", 4, replace(FACTS, seed=f"chaos {number}"))
        send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")
        time.sleep(1.0)
    wait_until(lambda: len(list_jobs(settings)) == number, "every study is a job")
    wait_until(lambda: all(len(job.deliveries) == 3 for job in list_jobs(settings)), "built")


@contextmanager
def _held(settings: Settings):
    """Hold the sick destinations, so that no further attempt begins."""
    ledger = Ledger.open(settings.database_url)
    holds = Holds(ledger.engine)
    for name in ("pacs", "web"):
        holds.hold(name, "chaos", "to look at it")
    try:
        yield
    finally:
        for name in ("pacs", "web"):
            holds.release(name)
        ledger.close()


def _have_ended(settings: Settings) -> bool:
    """Whether no attempt runs, and none has still to begin for the first time."""
    return all(
        way.state in ENDED and (way.state is JobState.DELIVERED or way.reason)
        for job in list_jobs(settings)
        for way in job.deliveries
    )


def _is_over(settings: Settings) -> bool:
    """Whether all is delivered; a person retries what has failed."""
    jobs = list_jobs(settings)
    for job in jobs:
        if job.state is JobState.FAILED:
            retry(settings, job.job_id)
    return all(job.state is JobState.DELIVERED for job in jobs)


def faults_of(outcome: Outcome) -> list[str]:
    """Everything that is not as it must be; empty where all is well."""
    found = []
    for name, sick in (("pacs", outcome.pacs), ("web", outcome.web)):
        for jobs in (outcome.sick, outcome.well):
            told = {r.sop_instance_uid for j in jobs for r in j.receipts if r.destination == name}
            if lies := told - sick.truth.held:
                found.append(f"{name}: receipts for {len(lies)} objects that it does not hold")
        receipts = [r for j in outcome.well for r in j.receipts if r.destination == name]
        for receipt in receipts:
            came = sick.truth.arrivals[receipt.sop_instance_uid]
            if any(moment > receipt.stored_at for moment in came):
                found.append(f"{name}: an object was sent again although it had a receipt")
        if len(sick.truth.held) != OBJECTS * len(outcome.well):
            found.append(f"{name}: holds {len(sick.truth.held)} objects")
    for job in outcome.sick:
        for way in job.deliveries:
            if way.state is JobState.FAILED and not any(
                words in way.reason for words in FINAL_WORDS[way.destination]
            ):
                found.append(f"{way.destination}: failed for {way.reason!r}")
            if way.state is JobState.WAITING and not way.reason:
                found.append(f"{way.destination}: waits without a reason")
            if way.destination == "healthy" and way.state is not JobState.DELIVERED:
                found.append("the healthy destination waits")
    found += [f"{job.job_id} is {job.state}" for job in outcome.well if job.reason]
    if len(outcome.healthy.requests) != OBJECTS * len(outcome.well):
        found.append(f"the healthy destination got {len(outcome.healthy.requests)} objects")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), asked.seed, asked.seconds)
    attempts = sum(way.attempts for job in outcome.well for way in job.deliveries)
    states = {state.value: 0 for state in ENDED}
    for job in outcome.sick:
        for way in job.deliveries:
            states[way.state.value] += 1
    print(f"{len(outcome.well)} studies; deliveries while sick: {states}; attempts: {attempts}")
    for name, sick in (("pacs", outcome.pacs), ("web", outcome.web)):
        print(f"{name}: {sum(sick.deck.drawn.values())} behaviours, {len(sick.deck.drawn)} kinds")
    print("\n".join(faults_of(outcome)) or "no fault")


if __name__ == "__main__":
    main()
