"""Administration of jobs from outside the node: list them, wait for one, try one again.

The node may run or not: all of it goes by the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from dbos import DBOSClient, EnqueueOptions
from sqlalchemy import inspect

from vfnode.errors import VfnodeError
from vfnode.node.database import open_database
from vfnode.node.database_faults import database_errors_named
from vfnode.node.jobs.durable import ANALYSE, ANALYSIS_QUEUE, WORKFLOW_VERSION
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.jobs.job_state import FINAL, JobState
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


def retry(settings: Settings, job_id: str) -> None:
    """Begin a failed job once more, from the start; what was delivered is not sent again.

    A delivery that waits for its next attempt makes it now.

    Raises:
        VfnodeError: there is no such job, or it has neither failed nor does it wait.
    """
    ledger = Ledger.open(settings.database_url)
    client = DBOSClient(system_database_url=settings.database_url)
    try:
        found = ledger.jobs(job_id)
        if not found:
            raise VfnodeError(f"there is no job {job_id}; see `vfnode jobs`")
        if found[0].state is JobState.WAITING and _end_pauses(client, job_id):
            return
        if found[0].state is not JobState.FAILED:
            raise VfnodeError(
                f"job {job_id} is {found[0].state.value}; what has FAILED or waits for a "
                "destination is retried"
            )
        run = found[0].run + 1
        options: EnqueueOptions = {
            "workflow_name": ANALYSE,
            "queue_name": ANALYSIS_QUEUE,
            "workflow_id": f"{job_id}/{run}",
            "app_version": WORKFLOW_VERSION,
        }
        client.enqueue(options, job_id, run)
        ledger.set_run(job_id, run)
    finally:
        client.destroy()
        ledger.close()


def _end_pauses(client: DBOSClient, job_id: str) -> bool:
    """Let the deliveries of a job that wait begin now; whether there are any."""
    waiting = client.list_workflows(
        workflow_id_prefix=f"{job_id}/", status="DELAYED", load_input=False, load_output=False
    )
    for workflow in waiting:
        client.set_workflow_delay(workflow.workflow_id, delay_seconds=0)
    return bool(waiting)
