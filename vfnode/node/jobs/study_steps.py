"""Steps that look at the other series of a study: the next one is tried, and one of them answers.

As every step they may run twice; picking changes nothing, and what was picked is recorded.
"""

from __future__ import annotations

from dataclasses import asdict

from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.durable_files import write_json
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import PASSED
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import Verdict
from vfnode.node.jobs.study import next_job, speaker
from vfnode.spine.reason import Reason


class StudySteps:
    """Steps between the analysis of a series and its results."""

    def __init__(self, parts: Parts, facts: FactsCache) -> None:
        self._parts = parts
        self._facts = facts
        self._ledger = parts.ledger

    def next_series(self, job_id: str) -> str:
        """The job that is tried in place of this one, which was refused; empty without one."""
        job = self._job(job_id)
        following = next_job(self._parts, self._facts, job) if job.reason_code else None
        return following.job_id if following else ""

    def hand_over(self, job_id: str, following: str) -> None:
        """Let another series of the study be tried; this one says nothing for now."""
        job, other = self._job(job_id), self._job(following)
        told = f"{job.reason}; series {other.series_instance_uid} is tried"
        self._give_way(job, told)
        reason = f"series {job.series_instance_uid} is refused: {job.reason_code}"
        folder = job_folder(self._parts.settings, following)
        write_json(folder.choice, asdict(Verdict(True, "", reason)))
        if other.stage == PASSED:
            self._ledger.set_reason(following, "", "")
            self._ledger.set_state(following, JobState.WAITING, "queued")

    def speaker(self, job_id: str) -> str:
        """The job whose results are made: this one, or the best of those refused before it."""
        job = self._job(job_id)
        if not job.reason_code:
            return job_id
        chosen = speaker(self._parts, self._facts, job)
        if chosen.job_id != job_id:
            self._give_way(job, f"{job.reason}; series {chosen.series_instance_uid} says why")
        return chosen.job_id

    def _give_way(self, job: Job, told: str) -> None:
        """End a refused job without results of its own: another one of the study has them."""
        failed = job.reason_code == Reason.COMPUTE_FAILED.code  # still a person's work
        self._ledger.set_reason(job.job_id, job.reason_code, told)
        self._ledger.set_state(job.job_id, JobState.FAILED if failed else JobState.REJECTED)

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]
