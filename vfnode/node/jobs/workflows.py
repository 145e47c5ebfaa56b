"""The durable workflows: what happens to a series, surviving a kill at any instant.

DBOS records every finished step in the database and goes on after the last one when the
node starts again. A workflow's identifier is made from what it is about, so that the
same series begins it only once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import structlog
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, error

from vfnode.dicom.reading.series_facts import SeriesFacts, read_facts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.durable_files import read_json, write_json
from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_steps import DeliverySteps
from vfnode.node.jobs.job import job_id_of
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import FINAL, JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import Verdict, is_urgent, judge
from vfnode.node.settings.settings import Settings

ANALYSE, DELIVER = "analyse_series", "deliver_results"
ANALYSIS_QUEUE, DELIVERY_QUEUE = "analysis", "delivery"
DELIVERIES_AT_ONCE = 4
QUEUE_POLL_S = 0.5
HALF_OF_PRIORITIES = 2**30 - 2  #: DBOS takes 1 to 2^31 - 1
RECOVERIES = 20  #: of one workflow; more deaths of the node on one series are no accident
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"  #: DBOS's name for what it recovers no more

# Fixed, as DBOS would else derive it from the source: a new release would leave the work
# of the old one lying. Raise it only when a workflow's order of steps changes.
WORKFLOW_VERSION = "1"

log = structlog.get_logger()


class Workflows:
    """The durable work of one node; one at a time in a process, as DBOS is."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._steps = Steps(parts)
        DBOS(config=_config(parts.settings))
        self._analyse = _register(self._steps, DeliverySteps(parts))

    def start(self) -> None:
        """Go on with what was begun, and take new work."""
        DBOS.launch()
        DBOS.register_queue(
            ANALYSIS_QUEUE,
            worker_concurrency=1,
            polling_interval_sec=QUEUE_POLL_S,
        )
        DBOS.register_queue(
            DELIVERY_QUEUE,
            worker_concurrency=DELIVERIES_AT_ONCE,
            polling_interval_sec=QUEUE_POLL_S,
        )

    def stop(self, patience_s: int) -> None:
        """Take no more work; what is unfinished then goes on after the next start."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience_s)

    def report_given_up(self) -> None:
        """Fail the jobs that took the node down with them time and again."""
        for workflow in DBOS.list_workflows(status=GIVEN_UP, load_input=False, load_output=False):
            job_id, run = workflow.workflow_id.split("/")[:2]
            for job in self._parts.ledger.jobs(job_id):
                if job.state not in FINAL and job.run == int(run):
                    self._steps.fail(job_id, f"the node died {RECOVERIES} times working on it")

    def submit(self, key: SeriesKey) -> None:
        """Begin the analysis of a complete series; nothing if it was begun before."""
        paths = self._parts.inbox.instances(key)
        if not paths:
            return
        job_id = job_id_of(key, [path.name for path in paths])
        write_json(job_folder(self._parts.settings, job_id).instances, [str(p) for p in paths])
        is_new = self._parts.ledger.register(job_id, key, len(paths))
        facts = self._study(key)
        if not self._is_chosen(job_id, key, facts):
            return
        priority = self._priority(is_urgent(facts.get(key), self._parts.settings.choice))
        with SetWorkflowID(f"{job_id}/1"), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(ANALYSIS_QUEUE, self._analyse, job_id, 1)
        log.info("series complete", job_id=job_id, instances=len(paths), known=not is_new)

    def _study(self, key: SeriesKey) -> dict[SeriesKey, SeriesFacts]:
        """The facts of every readable series of a study."""
        inbox = self._parts.inbox
        series = [other for other in inbox.series() if other.study == key.study]
        read = {each: read_facts(inbox.instances(each)) for each in series}
        return {each: facts for each, facts in read.items() if facts is not None}

    def _is_chosen(self, job_id: str, key: SeriesKey, study: dict[SeriesKey, SeriesFacts]) -> bool:
        """The verdict on a series; once given it stays, whatever else comes or goes."""
        path = job_folder(self._parts.settings, job_id).choice
        given = read_json(path)
        if given:
            verdict = Verdict(**given)
        else:
            verdict = judge(key, study, self._parts.settings.choice)
            write_json(path, asdict(verdict))
            told = "series chosen" if verdict.is_chosen else "series passed over"
            log.info(told, job_id=job_id, code=verdict.code, reason=verdict.reason)
        job = self._parts.ledger.jobs(job_id)[0]
        if not verdict.is_chosen and job.state is JobState.WAITING:
            self._parts.ledger.set_reason(job_id, verdict.code, verdict.reason)
            self._parts.ledger.set_state(job_id, JobState.REJECTED, "choose")
        return verdict.is_chosen

    def _priority(self, urgent: bool) -> int:
        """Smaller goes first; urgent series lie in the lower half of what there is."""
        tenths = int(time.time() * 10) % HALF_OF_PRIORITIES  # comes round every three years
        if self._parts.settings.choice.order == "newest":
            tenths = HALF_OF_PRIORITIES - tenths
        return 1 + tenths + (0 if urgent else HALF_OF_PRIORITIES)


def _config(settings: Settings) -> DBOSConfig:
    return {
        "name": "vfnode",
        "system_database_url": settings.database_url,
        "application_version": WORKFLOW_VERSION,
        "log_level": "WARNING",
    }


def _register(steps: Steps, delivery: DeliverySteps) -> Callable[[str, int], None]:
    """Make the two workflows of these steps known to DBOS."""

    @DBOS.workflow(name=DELIVER, max_recovery_attempts=RECOVERIES)
    def deliver(job_id: str, destination: str, run: int, attempt: int) -> None:
        with _failing_visibly(steps, job_id):
            pause_s = DBOS.run_step({"name": "send"}, delivery.send, job_id, destination, attempt)
            if pause_s is not None:
                following = (job_id, destination, run, attempt + 1)
                with _as_workflow(*following), SetEnqueueOptions(delay_seconds=pause_s):
                    DBOS.enqueue_workflow(DELIVERY_QUEUE, deliver, *following)
            DBOS.run_step({"name": "settle"}, delivery.settle, job_id)

    @DBOS.workflow(name=ANALYSE, max_recovery_attempts=RECOVERIES)
    def analyse(job_id: str, run: int) -> None:
        with _failing_visibly(steps, job_id):
            if not DBOS.run_step({"name": "assemble"}, steps.assemble, job_id):
                return
            if not DBOS.run_step({"name": "compute"}, steps.compute, job_id):
                return
            for destination in DBOS.run_step({"name": "build"}, steps.build, job_id):
                following = (job_id, destination, run, 1)
                with _as_workflow(*following):
                    DBOS.enqueue_workflow(DELIVERY_QUEUE, deliver, *following)

    return analyse


@contextmanager
def _failing_visibly(steps: Steps, job_id: str) -> Iterator[None]:
    """Let no job end without a word: what nobody foresaw fails it, with a traceback."""
    try:
        yield
    except error.DBOSException:  # the engine's own: the node stops, or the work is not ours
        raise
    except Exception as unforeseen:
        log.exception("unexpected", job_id=job_id)
        steps.fail(job_id, f"unexpected {type(unforeseen).__name__}; see the log")
        raise


def _as_workflow(job_id: str, destination: str, run: int, attempt: int) -> SetWorkflowID:
    return SetWorkflowID(f"{job_id}/{run}/{destination}/{attempt}")
