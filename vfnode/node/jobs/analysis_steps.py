"""What the durable workflows do, step by step; every step may run twice.

A step answers with a plain value instead of raising what it expects: answers are stored
with the workflow, and a stored error would have to be read back by the next version of
the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from vfnode.dicom.results.output_files import holds_fracture
from vfnode.errors import (
    ComputeError,
    NotEvaluableError,
    VfnodeError,
)
from vfnode.node.compute.analysis_store import save_analysis
from vfnode.node.compute.series_reader import refusal
from vfnode.node.jobs.job import Job, JobState
from vfnode.node.jobs.job_folder import earlier_report, job_folder, read_instances, set_aside
from vfnode.node.jobs.parts import Parts
from vfnode.spine.reason import Reason

COMPUTE_ATTEMPTS = 2

log = structlog.get_logger()


class Steps:
    """The steps of the workflows of one node."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._sections = {each.name: each for each in parts.settings.destinations}

    def assemble(self, job_id: str) -> bool:
        """Check that every image of the job is in the inbox."""
        self._ledger.set_state(job_id, JobState.RUNNING, "assemble")
        held = set(self._parts.inbox.instances(self._job(job_id).series_key))
        wanted = read_instances(job_folder(self._parts.settings, job_id))
        missing = [path for path in wanted if path not in held]
        if missing:
            self.fail(job_id, f"{len(missing)} images are no longer in the inbox")
        return not missing

    def compute(self, job_id: str) -> bool:
        """Analyse the series; the numbers stand in the job's folder afterwards.

        Where that fails for good, they say so: silence would look like a normal spine.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "compute")
        if self._job(job_id).reason_code == Reason.COMPUTE_FAILED.code:  # a person tries again
            set_aside(job_folder(self._parts.settings, job_id))
            self._ledger.set_reason(job_id, "", "")
        return self._ask(job_id, "compute")

    def build(self, job_id: str) -> list[str]:
        """Make the result objects from the numbers.

        Returns:
            Names of the destinations that they go to; none if they could not be made.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "build")
        if not self._ask(job_id, "build"):
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

    def _ask(self, job_id: str, command: str) -> bool:
        settings = self._parts.settings
        folder = job_folder(settings, job_id)
        if folder.is_built:  # other bytes under the same UIDs might reach a second PACS
            return True
        job = self._job(job_id)
        earlier = earlier_report(job, self._ledger, settings)
        request = {
            "command": command,
            "instances": [str(path) for path in read_instances(folder)],
            "analysis": str(folder.analysis),
            "results": str(folder.results),
            "created": f"{job.created_at.astimezone().replace(tzinfo=None)}",
            "replaces": str(earlier) if earlier else None,
        }
        try:
            answer = self._ask_twice(request, job_id)
        except NotEvaluableError as error:
            log.warning("job rejected", job_id=job_id, code=error.code, reason=error.detail)
            self._ledger.set_reason(job_id, error.code, error.detail)
            self._ledger.set_state(job_id, JobState.REJECTED)
            return False
        except ComputeError as error:
            if command == "compute":
                return self._answer_failure(job_id, str(error))
            self.fail(job_id, str(error))
            return False
        except VfnodeError as error:
            self.fail(job_id, str(error))
            return False
        if answer.get("reason"):
            self._ledger.set_reason(job_id, answer["reason"]["code"], answer["reason"]["meaning"])
        return True

    def _answer_failure(self, job_id: str, reason: str) -> bool:
        """Go on with an analysis that says that there is none; a person is needed as well."""
        log.error("compute failed", job_id=job_id, reason=reason)
        settings = self._parts.settings
        analysis = refusal(Reason.COMPUTE_FAILED, settings.results.limits())
        save_analysis(analysis, job_folder(settings, job_id).analysis)
        self._ledger.set_reason(job_id, Reason.COMPUTE_FAILED.code, reason)
        return True

    def _ask_twice(self, request: Mapping[str, Any], job_id: str) -> dict[str, Any]:
        for attempt in range(1, COMPUTE_ATTEMPTS):
            try:
                return self._parts.compute.ask(request)
            except ComputeError as error:
                log.warning("tried again", job_id=job_id, attempt=attempt, reason=str(error))
        return self._parts.compute.ask(request)

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]
