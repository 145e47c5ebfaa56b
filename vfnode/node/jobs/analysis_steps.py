"""What the durable workflows do, step by step; every step may run twice.

A step answers with a plain value instead of raising what it expects: answers are stored
with the workflow, and a stored error would have to be read back by the next version of
the program.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from vfnode.dicom.results.output_files import holds_fracture
from vfnode.errors import ComputeError, NotEvaluableError, VfnodeError
from vfnode.node.compute.analysis_store import save_analysis
from vfnode.node.compute.series_reader import refusal
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder, set_aside
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.result_builder import ResultBuilder
from vfnode.spine.reason import Reason

log = structlog.get_logger()


class Steps:
    """The steps of the workflows of one node."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._builder = ResultBuilder(parts)
        self._sections = {each.name: each for each in parts.settings.destinations}

    def assemble(self, job_id: str) -> bool:
        """Check that every image of the job is in the inbox, where its results need them."""
        self._ledger.set_state(job_id, JobState.RUNNING, "assemble")
        if job_folder(self._parts.settings, job_id).is_built:
            return True
        return self._done(job_id, self._builder.images)

    def compute(self, job_id: str) -> bool:
        """Analyse the series; the numbers stand in the job's folder afterwards.

        Where that fails for good, they say so: silence would look like a normal spine.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "compute")
        folder = job_folder(self._parts.settings, job_id)
        if self._job(job_id).reason_code == Reason.COMPUTE_FAILED.code:  # a person tries again
            set_aside(folder)
            self._ledger.set_reason(job_id, "", "")
        return folder.is_built or self._done(job_id, self._analyse)

    def build(self, job_id: str) -> list[str]:
        """Make the result objects from the numbers.

        Returns:
            Names of the destinations that they go to; none if they could not be made.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "build")
        if not self._done(job_id, self._builder.build):
            return []
        is_positive = holds_fracture(job_folder(self._parts.settings, job_id).results)
        chosen = [
            name for name, each in self._sections.items() if is_positive or not each.positives_only
        ]
        for name in chosen:
            self._ledger.set_delivery(job_id, name, JobState.WAITING, 0, "")
        if not chosen:
            self._ledger.settle(job_id)
        return chosen

    def fail(self, job_id: str, reason: str) -> None:
        """The job needs a person."""
        log.error("job failed", job_id=job_id, reason=reason)
        self._ledger.set_reason(job_id, "", reason)
        self._ledger.set_state(job_id, JobState.FAILED)

    def _done(self, job_id: str, work: Callable[[Job], object]) -> bool:
        """Do a part of a job; where that cannot be, the job says why."""
        try:
            work(self._job(job_id))
        except NotEvaluableError as error:
            log.warning("job rejected", job_id=job_id, code=error.code, reason=error.detail)
            self._ledger.set_reason(job_id, error.code, error.detail)
            self._ledger.set_state(job_id, JobState.REJECTED)
            return False
        except VfnodeError as error:
            self.fail(job_id, str(error))
            return False
        return True

    def _analyse(self, job: Job) -> None:
        try:
            self._builder.analyse(job)
        except ComputeError as error:
            self._answer_failure(job.job_id, str(error))

    def _answer_failure(self, job_id: str, reason: str) -> None:
        """Go on with an analysis that says that there is none; a person is needed as well."""
        log.error("compute failed", job_id=job_id, reason=reason)
        settings = self._parts.settings
        analysis = refusal(Reason.COMPUTE_FAILED, settings.results.limits())
        save_analysis(analysis, job_folder(settings, job_id).analysis)
        self._ledger.set_reason(job_id, Reason.COMPUTE_FAILED.code, reason)

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]
