"""Begins durable workflows from outside the node; they run when it does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

from vfnode.node.database_faults import database_errors_named
from vfnode.node.jobs.durable import (
    ANALYSE,
    ANALYSIS_QUEUE,
    DELIVER,
    DELIVERY_QUEUE,
    WORKFLOW_VERSION,
)
from vfnode.node.jobs.sweep import ALIVE, DELAYED
from vfnode.node.settings.settings import Settings

FIRST_PRIORITY, LAST_PRIORITY = 1, 2**31 - 1  #: before, and after, every new study


class Outside:
    """The workflows of a node, as they are begun and hurried from outside."""

    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    def analyse(self, job_id: str, run: int, priority: int) -> None:
        """Begin a run of an analysis; the same run again has no effect."""
        options: EnqueueOptions = {
            "workflow_name": ANALYSE,
            "queue_name": ANALYSIS_QUEUE,
            "workflow_id": f"{job_id}/{run}",
            "app_version": WORKFLOW_VERSION,
            "priority": priority,
        }
        self._client.enqueue(options, job_id, run)

    def deliver(self, workflow_id: str, job_id: str, to: str, run: int, attempt: int) -> None:
        """Begin an attempt to deliver; the same identifier again has no effect."""
        options: EnqueueOptions = {
            "workflow_name": DELIVER,
            "queue_name": DELIVERY_QUEUE,
            "workflow_id": workflow_id,
            "app_version": WORKFLOW_VERSION,
            "queue_partition_key": to,
        }
        self._client.enqueue(options, job_id, to, run, attempt)

    @cached_property
    def _alive(self) -> dict[str, list[WorkflowStatus]]:
        """Workflows that run or will, by job."""
        found: dict[str, list[WorkflowStatus]] = defaultdict(list)
        for workflow in self._client.list_workflows(
            status=ALIVE, load_input=False, load_output=False
        ):
            found[workflow.workflow_id.partition("/")[0]].append(workflow)
        return found

    def works_on(self, job_id: str) -> bool:
        """True if a workflow of a job runs, or will."""
        return job_id in self._alive

    def pauses(self, job_id: str) -> list[str]:
        """Workflows of a job that wait for their time."""
        return [w.workflow_id for w in self._alive.get(job_id, ()) if w.status == DELAYED]

    def hurry(self, job_id: str) -> None:
        """Let what a job waits with begin now."""
        for workflow_id in self.pauses(job_id):
            self._client.set_workflow_delay(workflow_id, delay_seconds=0)


@contextmanager
def outside(settings: Settings) -> Iterator[Outside]:
    """The workflows of a node that has run."""
    with database_errors_named(settings.database_url):
        client = DBOSClient(system_database_url=settings.database_url)
        try:
            yield Outside(client)
        finally:
            client.destroy()
