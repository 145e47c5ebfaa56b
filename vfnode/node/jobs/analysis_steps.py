"""What the durable workflows do, step by step; every step may run twice.

A step answers with a plain value instead of raising what it expects: answers are stored
with the workflow, and a stored error would have to be read back by the next version of
the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from vfnode.dicom.results.output_files import grade_of, holds_fracture, reason_of
from vfnode.durable_files import write_json
from vfnode.errors import (
    InstallationError,
    ModelError,
    NotEvaluableError,
    UnreadableInputError,
    VfnodeError,
    fault_of_installation,
)
from vfnode.node.compute.analysis_store import save_analysis
from vfnode.node.compute.series_reader import refusal
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder, read_verdict, set_aside
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import PASSED
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.result_builder import ResultBuilder
from vfnode.spine.reason import Reason

FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 300.0  #: before a machine at fault is tried again

Done = TypeVar("Done")

log = structlog.get_logger()


class Steps:
    """The steps of the workflows of one node."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._builder = ResultBuilder(parts)
        self._sections = {section.name: section for section in parts.settings.destinations}

    def assemble(self, job_id: str) -> bool:
        """Check that every image of the job is in the inbox, where its results need them.

        A series for which a better one came while it waited is left.
        """
        return self._with_machine(job_id, lambda: self._assemble(job_id), False)

    def compute(self, job_id: str) -> bool:
        """Analyse the series; the numbers stand in the job's folder afterwards.

        Whatever fails, they say so: silence would look like a normal spine.
        """
        return self._with_machine(job_id, lambda: self._compute(job_id), False)

    def build(self, job_id: str) -> list[str]:
        """Make the result objects from the numbers.

        Returns:
            Names of the destinations that they go to; none if they could not be made.
        """
        return self._with_machine(job_id, lambda: self._build(job_id), [])

    def pause_s(self, job_id: str, run: int) -> float | None:
        """Seconds until the next run of a job that waits for the machine; None for any other."""
        job = self._job(job_id)
        waits = job.state is JobState.WAITING and job.stage != "deliver"
        if not waits or job.run not in (run, run + 1):
            return None
        self._ledger.set_run(job_id, run + 1)
        return float(min(FIRST_PAUSE_S * 2 ** min(run - 1, 16), LONGEST_PAUSE_S))

    def about(self, job_id: str) -> dict[str, str]:
        """What each line of the log says of a job that is worked on."""
        found = self._ledger.jobs(job_id)
        study = {"study_instance_uid": found[0].study_instance_uid} if found else {}
        return {"job_id": job_id, **study}

    def fail(self, job_id: str, reason: str) -> None:
        """The job needs a person."""
        log.error("job failed", job_id=job_id, reason=reason)
        self._ledger.set_reason(job_id, "", reason)
        self._ledger.set_state(job_id, JobState.FAILED)

    def _with_machine(self, job_id: str, step: Callable[[], Done], otherwise: Done) -> Done:
        """Do a step; where the machine is at fault the job waits until it has been mended."""
        try:
            return step()
        except (OSError, InstallationError, ModelError) as error:
            fault = fault_of_installation(error) if isinstance(error, OSError) else str(error)
            if not fault:
                raise
        log.error("this machine is at fault", job_id=job_id, reason=fault)
        self._ledger.set_reason(job_id, "", f"this machine: {fault}")
        self._ledger.set_state(job_id, JobState.WAITING)
        return otherwise

    def _assemble(self, job_id: str) -> bool:
        if self._job(job_id).stage == PASSED:
            return False
        self._ledger.set_state(job_id, JobState.RUNNING, "assemble")
        job, folder = self._job(job_id), job_folder(self._parts.settings, job_id)
        return (folder.is_built and folder.is_renewed(job)) or self._assembled(job)

    def _compute(self, job_id: str) -> bool:
        self._ledger.set_state(job_id, JobState.RUNNING, "compute")
        job, folder = self._job(job_id), job_folder(self._parts.settings, job_id)
        if not folder.is_renewed(job):
            return self._renewed(job)
        if job.reason_code == Reason.COMPUTE_FAILED.code:  # a person tries again
            set_aside(folder)
            self._ledger.set_reason(job_id, "", "")
        if self._refused_code(job) not in ("", job.reason_code):  # known since it was measured
            set_aside(folder)
        return folder.is_built or self._analyse(self._job(job_id))

    def _refused_code(self, job: Job) -> str:
        """Why a series is not measured although it was chosen; empty where it is."""
        verdict = read_verdict(job_folder(self._parts.settings, job.job_id))
        return verdict.code if verdict and verdict.is_chosen else ""

    def _renewed(self, job: Job) -> bool:
        """Analyse a series anew; until that is done its results stay as they are, and valid."""
        assert job.renewed_at is not None
        folder = job_folder(self._parts.settings, job.job_id)
        try:
            self._ledger.set_reason(job.job_id, "", "")
            self._builder.analyse(job)
        except (InstallationError, ModelError):
            raise
        except VfnodeError as error:
            self.fail(job.job_id, f"not analysed anew, its earlier results stay valid: {error}")
            return False
        set_aside(folder)
        write_json(folder.renewal, job.renewed_at.isoformat())
        return True

    def _build(self, job_id: str) -> list[str]:
        self._ledger.set_state(job_id, JobState.RUNNING, "build")
        if not self._built(self._job(job_id)):
            return []
        results = job_folder(self._parts.settings, job_id).results
        self._ledger.set_grade(job_id, grade_of(results))
        code, meaning = reason_of(results)
        if code and not self._job(job_id).reason_code:  # the database that knew it is lost
            self._ledger.set_reason(job_id, code, meaning)
        is_positive = holds_fracture(results)
        chosen = [
            name
            for name, section in self._sections.items()
            if is_positive or not section.positives_only
        ]
        for name in chosen:
            self._ledger.plan_delivery(job_id, name)
        if not chosen:
            self._ledger.settle(job_id)
        return chosen

    def _assembled(self, job: Job) -> bool:
        try:
            self._builder.images(job)
        except UnreadableInputError as error:
            self.fail(job.job_id, str(error))
            return False
        return True

    def _analyse(self, job: Job) -> bool:
        verdict = read_verdict(job_folder(self._parts.settings, job.job_id))
        if verdict and verdict.is_chosen and verdict.code:
            self._refuse(job, Reason.from_code(verdict.code), verdict.reason)
            return True
        try:
            self._builder.analyse(job)
        except NotEvaluableError as error:
            self._refuse(job, Reason.from_code(error.code), error.detail)
        except UnreadableInputError as error:
            self._refuse(job, Reason.UNREADABLE, str(error))
        except (InstallationError, ModelError):
            raise
        except VfnodeError as error:
            self._refuse(job, Reason.COMPUTE_FAILED, str(error))
        return True

    def _built(self, job: Job) -> bool:
        try:
            self._builder.build(job)
        except (InstallationError, ModelError):
            raise
        except VfnodeError as error:
            if job_folder(self._parts.settings, job.job_id).results.exists():
                self.fail(job.job_id, str(error))  # a PACS may have the true ones
                return False
            return self._answered(job, str(error))
        return True

    def _answered(self, job: Job, trouble: str) -> bool:
        """Where the results fail their check: a report that says that there are none."""
        self._refuse(job, Reason.COMPUTE_FAILED, trouble)
        try:
            self._builder.build(job)
        except VfnodeError as error:  # not one header is good enough for an answer
            self.fail(job.job_id, f"{trouble}; and no answer can be made: {error}")
            return False
        return True

    def _refuse(self, job: Job, reason: Reason, detail: str) -> None:
        """Go on with an analysis that says that nothing was measured, and why."""
        tell = log.error if reason is Reason.COMPUTE_FAILED else log.warning
        tell("series refused", job_id=job.job_id, code=reason.code, reason=detail)
        settings = self._parts.settings
        analysis = refusal(reason, settings.results.limits())
        save_analysis(analysis, job_folder(settings, job.job_id).analysis)
        self._ledger.set_reason(job.job_id, reason.code, detail)

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]
