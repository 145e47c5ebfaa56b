"""The whole story of one job: from whom it came, what was done, where its results are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select

from vfnode.node.jobs.admin import conflicts
from vfnode.node.jobs.history import Event, EventKind, History
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.operations.listing import JobFilter, JobLine, list_jobs
from vfnode.node.settings.settings import Settings
from vfnode.node.tables import deliveries, receipts


@dataclass(frozen=True)
class DeliveryStory:
    """State of the delivery to one destination."""

    destination: str
    state: str
    attempts: int
    stored: int  #: objects that it has a receipt for
    reason: str


@dataclass(frozen=True)
class JobStory:
    """One job with all that is known of it."""

    job: JobLine
    why_chosen: str  #: empty where its verdict is not given yet
    deliveries: tuple[DeliveryStory, ...]
    events: tuple[Event, ...]
    results: Path | None  #: folder of its results; None where there are none, or none any more
    conflicts: int  #: images that came again with another header


def story_of(settings: Settings, engine: Engine, job_id: str) -> JobStory:
    """All that is known of a job that there is."""
    (line,) = list_jobs(engine, JobFilter(job_ids=[job_id]))
    events = tuple(History(engine).of(job_id))
    verdicts = [event.text for event in events if event.kind is EventKind.CHOSEN]
    folder = job_folder(settings, job_id)
    return JobStory(
        job=line,
        why_chosen=verdicts[-1] if verdicts else "",
        deliveries=_deliveries(engine, job_id),
        events=events,
        results=folder.results if folder.results.is_dir() else None,
        conflicts=conflicts(settings, Ledger(engine).jobs(job_id)[0]),
    )


def _deliveries(engine: Engine, job_id: str) -> tuple[DeliveryStory, ...]:
    ways = (
        select(deliveries).where(deliveries.c.job_id == job_id).order_by(deliveries.c.destination)
    )
    stored = (
        select(receipts.c.destination, func.count().label("objects"))
        .where(receipts.c.job_id == job_id)
        .group_by(receipts.c.destination)
    )
    with engine.connect() as connection:
        counts = Counter({row.destination: row.objects for row in connection.execute(stored)})
        rows = connection.execute(ways).all()
    return tuple(
        DeliveryStory(row.destination, row.state, row.attempts, counts[row.destination], row.reason)
        for row in rows
    )
