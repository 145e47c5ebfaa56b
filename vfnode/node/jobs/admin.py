"""Administration of jobs from outside the node: list them, wait for one.

The node may run or not: all of it goes by the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import inspect

from vfnode.errors import VfnodeError
from vfnode.node.database import open_database
from vfnode.node.database_faults import database_errors_named
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.jobs.job_state import FINAL
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.receiving.inbox import conflicting_instances
from vfnode.node.settings.settings import Settings
from vfnode.node.tables import jobs

POLL_S = 0.2


def list_jobs(settings: Settings, series_instance_uid: str | None = None) -> list[Job]:
    """The jobs of a node, whether it runs or not; none where it has never run."""
    with database_errors_named(settings.database_url):
        engine = open_database(settings.database_url)
        if engine.dialect.name == "sqlite" and not settings.node.spool.is_dir():
            return []
        has_run = inspect(engine).has_table(jobs.name)
    ledger = Ledger(engine)
    try:
        return ledger.jobs(series_uid=series_instance_uid) if has_run else []
    finally:
        ledger.close()


def wait_for(
    settings: Settings,
    series_instance_uid: str,
    timeout_s: float,
    on_change: Callable[[Job], None] = lambda _job: None,
) -> Job:
    """Wait until the newest job of a series has ended.

    Args:
        on_change: called with the job each time its state or stage is another.

    Raises:
        VfnodeError: it has not ended in time.
    """
    deadline_s = time.monotonic() + timeout_s
    seen = None
    while time.monotonic() < deadline_s:
        found = list_jobs(settings, series_instance_uid)
        if found and (found[-1].state, found[-1].stage) != seen:
            seen = (found[-1].state, found[-1].stage)
            on_change(found[-1])
        if found and found[-1].state in FINAL:
            return found[-1]
        time.sleep(POLL_S)
    raise VfnodeError(f"series {series_instance_uid} has no result after {timeout_s:.0f} s")


def conflicts(settings: Settings, job: Job) -> int:
    """Number of images of a job's series that came again with another header; the first were
    kept.
    """
    return len(conflicting_instances(inbox_folder(settings), job.series_key))
