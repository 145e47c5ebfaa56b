"""The two durable workflows, and how they are begun.

DBOS records every finished step in the database and goes on after the last one when the
node starts again. A workflow's identifier is made from what it is about, so that the same
run, or the same attempt, is begun only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, error
from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_steps import DELIVERIES_AT_ONCE, DeliverySteps
from vfnode.node.jobs.study_steps import StudySteps
from vfnode.node.settings.settings import Settings

ANALYSE, DELIVER = "analyse_series", "deliver_results"
ANALYSIS_QUEUE, DELIVERY_QUEUE = "analysis", "deliveries"
QUEUE_POLL_S = 0.5
HALF_OF_PRIORITIES = 2**30 - 2  #: DBOS takes 1 to 2^31 - 1
RECOVERIES = 20  #: of one workflow; more deaths of the node on one series are no accident

# Fixed, as DBOS would else derive it from the source: a new release would leave the work
# of the old one lying. Raise it only when a workflow's order of steps changes.
WORKFLOW_VERSION = "2"

log = structlog.get_logger()


@dataclass(frozen=True)
class Begin:
    """Begins workflows; one with the identifier of an earlier one is not begun."""

    analysis: Callable[[str, int], None]
    delivery: Callable[[str, str, int, int], None]

    def analyse(
        self, job_id: str, run: int, pause_s: float, priority: int = HALF_OF_PRIORITIES
    ) -> None:
        """Begin one run of an analysis after a pause."""
        with (
            SetWorkflowID(f"{job_id}/{run}"),
            SetEnqueueOptions(priority=priority, delay_seconds=pause_s or None),
        ):
            DBOS.enqueue_workflow(ANALYSIS_QUEUE, self.analysis, job_id, run)

    def deliver(
        self,
        workflow_id: str,
        job_id: str,
        destination: str,
        run: int,
        attempt: int,
        pause_s: float,
    ) -> None:
        """Begin one attempt of a delivery after a pause, in a slot of its destination."""
        with (
            SetWorkflowID(workflow_id),
            SetEnqueueOptions(queue_partition_key=destination, delay_seconds=pause_s or None),
        ):
            DBOS.enqueue_workflow(DELIVERY_QUEUE, self.delivery, job_id, destination, run, attempt)


def delivery_id(job_id: str, destination: str, run: int, attempt: int) -> str:
    """Identifier of the workflow that makes one attempt."""
    return f"{job_id}/{run}/{destination}/{attempt}"


def config(settings: Settings) -> DBOSConfig:
    """How DBOS keeps the workflows of a node."""
    return {
        "name": "vfnode",
        "system_database_url": settings.database_url,
        "application_version": WORKFLOW_VERSION,
        "log_level": "WARNING",
    }


def register_queues() -> None:
    """Make the queues; DBOS must run."""
    DBOS.register_queue(
        ANALYSIS_QUEUE,
        worker_concurrency=1,
        polling_interval_sec=QUEUE_POLL_S,
    )
    DBOS.register_queue(  # a partition for each destination, with slots of its own
        DELIVERY_QUEUE,
        partition_worker_concurrency=DELIVERIES_AT_ONCE,
        polling_interval_sec=QUEUE_POLL_S,
    )


def register(steps: Steps, study: StudySteps, delivery: DeliverySteps) -> Begin:
    """Make the two workflows of these steps known to DBOS."""

    @DBOS.workflow(name=DELIVER, max_recovery_attempts=RECOVERIES)
    def deliver(job_id: str, destination: str, run: int, attempt: int) -> None:
        following = (job_id, destination, run, attempt + 1)
        with bound_contextvars(**steps.about(job_id)):
            pause_s = DBOS.run_step(
                {"name": "send"}, delivery.send, job_id, destination, run, attempt
            )
        if pause_s is not None:
            begin.deliver(delivery_id(*following), *following, pause_s)

    def answer(job_id: str, run: int) -> None:
        """Have the next series of the study tried, or the results made and sent."""
        following = DBOS.run_step({"name": "next"}, study.next_series, job_id)
        if following:
            DBOS.run_step({"name": "hand over"}, study.hand_over, job_id, following)
            begin.analyse(following, 1, 0.0)
            return
        speaker = DBOS.run_step({"name": "speaker"}, study.speaker, job_id)
        for destination in DBOS.run_step({"name": "build"}, steps.build, speaker):
            first = (speaker, destination, run, 1)
            begin.deliver(delivery_id(*first), *first, 0.0)

    @DBOS.workflow(name=ANALYSE, max_recovery_attempts=RECOVERIES)
    def analyse(job_id: str, run: int) -> None:
        with bound_contextvars(**steps.about(job_id)), _failing_visibly(steps, job_id):
            if DBOS.run_step({"name": "assemble"}, steps.assemble, job_id) and DBOS.run_step(
                {"name": "compute"}, steps.compute, job_id
            ):
                answer(job_id, run)
            pause_s = DBOS.run_step({"name": "again"}, steps.pause_s, job_id, run)
            if pause_s is not None:
                begin.analyse(job_id, run + 1, pause_s)

    begin = Begin(analyse, deliver)
    return begin


@contextmanager
def _failing_visibly(steps: Steps, job_id: str) -> Iterator[None]:
    """Let no job end without a word: what nobody foresaw fails it, with a traceback.

    A database that does not answer is no fault of the job: the sweep takes it up again.
    """
    try:
        yield
    except (error.DBOSException, OperationalError):
        raise
    except Exception as unforeseen:
        log.exception("unexpected", job_id=job_id)
        steps.fail(job_id, f"unexpected {type(unforeseen).__name__}; see the log")
        raise
