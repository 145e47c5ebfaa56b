"""Orders about jobs: try again, deliver, analyse anew, let go. Each is a plan first.

The node may run or not: all of it goes by the database, and is done when the node runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, delete, select

from vfnode.durable_files import read_json
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.jobs.durable import delivery_id
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import PASSED, Ledger
from vfnode.node.moment import now_utc
from vfnode.node.operations.access import writable_database_of
from vfnode.node.operations.beginning import FIRST_PRIORITY, LAST_PRIORITY, Outside, outside
from vfnode.node.operations.journal import Journal, Order
from vfnode.node.operations.plan import Planned
from vfnode.node.settings.settings import Settings
from vfnode.node.tables import jobs, receipts

AT_WORK = {JobState.WAITING, JobState.RUNNING}
FINISHED = {JobState.DELIVERED, JobState.REJECTED}


@dataclass(frozen=True)
class Desk:
    """Place where orders are given: a node's ledger, its workflows, and the person."""

    settings: Settings
    ledger: Ledger
    workflows: Outside
    order: Order

    @property
    def engine(self) -> Engine:
        """The database of the node."""
        return self.ledger.engine

    def note(self, action: str, job_id: str) -> None:
        """Record that the order was carried out on a job."""
        Journal(self.engine).note_job(action, job_id, self.order)


@contextmanager
def desk(settings: Settings, order: Order) -> Iterator[Desk]:
    """A desk at a node that has run.

    Raises:
        NoSpoolError: none has run with these settings.
        SettingsError, InstallationError: its database cannot be written.
    """
    with writable_database_of(settings) as engine, outside(settings) as workflows:
        yield Desk(settings, Ledger(engine), workflows, order)


def plan_retry(at: Desk, job_ids: Sequence[str]) -> list[Planned]:
    """Begin failed jobs once more, and let those that wait go on at once."""
    return [_retry(at, job) for job in _jobs(at, job_ids)]


def plan_delivery(
    at: Desk, job_ids: Sequence[str], destination: str, *, again: bool = False
) -> list[Planned]:
    """Send the stored results of jobs to a destination.

    Args:
        again: also what it has receipts for, as an archive does that has lost something: it is
            asked, and gets what it lacks.
    """
    return [_delivery(at, job, destination, again=again) for job in _jobs(at, job_ids)]


def plan_renewal(at: Desk, job_ids: Sequence[str]) -> list[Planned]:
    """Analyse series anew, with the models and the settings of today."""
    return [_renewal(at, job) for job in _jobs(at, job_ids)]


def plan_purge(at: Desk, job_ids: Sequence[str]) -> list[Planned]:
    """Let the spool forget the images and the results of finished jobs."""
    return [_purge(at, job) for job in _jobs(at, job_ids)]


def _jobs(at: Desk, job_ids: Sequence[str]) -> Iterator[Job]:
    return (job for name in job_ids for job in at.ledger.jobs(name))


def _retry(at: Desk, job: Job) -> Planned:
    is_left = job.state is JobState.WAITING and not at.workflows.works_on(job.job_id)
    if job.state is JobState.FAILED or (is_left and not job.deliveries):
        words = f"{job.state.value}: begins once more"
        return Planned(job.job_id, words, partial(_begin_again, at, job))
    if job.state is JobState.WAITING and at.workflows.pauses(job.job_id):
        return Planned(job.job_id, "WAITING: goes on at once", partial(_hurry, at, job))
    return Planned(job.job_id, f"{job.state.value}: nothing to retry")


def _begin_again(at: Desk, job: Job) -> None:
    _begin(at, job, FIRST_PRIORITY)
    at.note("retry", job.job_id)


def _begin(at: Desk, job: Job, priority: int) -> None:
    """Begin another run; the state is set first, so that none that is newer is overwritten."""
    at.ledger.set_run(job.job_id, job.run + 1)
    at.ledger.set_state(job.job_id, JobState.WAITING)
    at.workflows.analyse(job.job_id, job.run + 1, priority)


def _hurry(at: Desk, job: Job) -> None:
    at.workflows.hurry(job.job_id)
    at.note("retry", job.job_id)


def _delivery(at: Desk, job: Job, destination: str, *, again: bool) -> Planned:
    way = next((entry for entry in job.deliveries if entry.destination == destination), None)
    folder = job_folder(at.settings, job.job_id)
    if not folder.is_built:
        return Planned(job.job_id, f"{job.state.value}: has no results in the spool")
    if way is not None and way.state in AT_WORK:
        return Planned(job.job_id, f"{destination} {way.state.value}: is on its way already")
    if way is not None and way.state is JobState.DELIVERED and not again:
        return Planned(job.job_id, f"{destination} has it already; --again has it asked")
    count = len(result_objects(folder.results))
    words = f"{count} objects go to {destination}" + (" where it lacks them" if way else "")
    # What a destination may have is asked for before an attempt that is not the first.
    made = 0 if way is None else 1
    return Planned(job.job_id, words, partial(_deliver, at, job, destination, made, again=again))


def _deliver(at: Desk, job: Job, destination: str, made: int, *, again: bool) -> None:
    if again:
        _forget_receipts(at.engine, job.job_id, destination)
    at.ledger.plan_delivery(job.job_id, destination)
    at.ledger.set_delivery(job.job_id, destination, JobState.WAITING, made, f"sent {at.order}")
    first = delivery_id(job.job_id, destination, job.run, made + 1)
    name = f"{first}+{time.time_ns()}"
    at.workflows.deliver(name, job.job_id, destination, job.run, made + 1)
    at.note(f"deliver to {destination}", job.job_id)


def _forget_receipts(engine: Engine, job_id: str, destination: str) -> None:
    of_it = (receipts.c.job_id == job_id) & (receipts.c.destination == destination)
    with engine.begin() as connection:
        connection.execute(delete(receipts).where(of_it))


def _renewal(at: Desk, job: Job) -> Planned:
    if job.state in AT_WORK:
        return Planned(job.job_id, f"{job.state.value}: is being worked on")
    if job.stage == PASSED:
        return Planned(job.job_id, "another series of its study is analysed")
    if _is_replaced(at, job):
        return Planned(job.job_id, "a later result of its study has replaced its own")
    listed = read_json(job_folder(at.settings, job.job_id).instances) or []
    missing = sum(not Path(path).exists() for path in listed)
    if not listed or missing:
        return Planned(job.job_id, "its images are no longer in the spool")
    words = "analysed anew; the new report names the old one, which stays valid until then"
    return Planned(job.job_id, words, partial(_renew, at, job))


def _is_replaced(at: Desk, job: Job) -> bool:
    with at.engine.connect() as connection:
        later = select(jobs.c.job_id).where(jobs.c.replaces == job.job_id)
        return connection.execute(later).first() is not None


def _renew(at: Desk, job: Job) -> None:
    at.ledger.renew(job.job_id, now_utc())
    _begin(at, job, LAST_PRIORITY)
    at.note("reanalyse", job.job_id)


def _purge(at: Desk, job: Job) -> Planned:
    if job.state not in FINISHED:
        return Planned(job.job_id, f"{job.state.value}: is not finished, and is never removed")
    if not job_folder(at.settings, job.job_id).path.exists():
        return Planned(job.job_id, "nothing of it is in the spool")
    if job.let_go_at is not None:
        return Planned(job.job_id, "will be removed already")
    words = f"{job.instances} images ({job.image_bytes / 1e6:.0f} MB) and its results are removed"
    return Planned(job.job_id, words, partial(_let_go, at, job))


def _let_go(at: Desk, job: Job) -> None:
    at.ledger.let_go(job.job_id, now_utc())
    at.note("purge", job.job_id)
