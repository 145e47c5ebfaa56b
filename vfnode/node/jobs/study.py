"""The jobs of one study: which of them holds its result, and which one is tried next.

A study has one valid result. A later one (late slices, a better series, a correction) names the
report that it replaces; where the chosen series cannot be measured the next one is.
"""

from __future__ import annotations

from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.dicom.results.output_files import file_of
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import images_of, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import PASSED_OVER, ranked
from vfnode.spine.reason import Reason

OPEN = {JobState.WAITING, JobState.RUNNING, JobState.DELIVERED}


def standing_jobs(parts: Parts, key: SeriesKey) -> list[Job]:
    """Jobs of a patient's study that were chosen and have not failed."""
    found = parts.ledger.chosen_jobs(key.study_instance_uid)
    return [
        job
        for job in found
        if job.series_key.study == key.study and job.state in OPEN and not job.reason_code
    ]


def next_job(parts: Parts, facts: FactsCache, refused: Job) -> Job | None:
    """The best series of the study that was passed over so far, in place of one that failed.

    None where the study has a result, or is to have one.
    """
    standing = [job for job in standing_jobs(parts, refused.series_key) if job != refused]
    if standing or refused.reason_code == Reason.IDENTITY_CONFLICT.code:
        return None
    waiting = [
        job
        for job in parts.ledger.passed_over_jobs(refused.study_instance_uid)
        if job.series_key.study == refused.series_key.study and job.reason_code == PASSED_OVER
    ]
    return _best(parts, facts, [job for job in waiting if job.series_key != refused.series_key])


def speaker(parts: Parts, facts: FactsCache, refused: Job) -> Job:
    """The best of the series that were refused one after the other: its reason is sent."""
    silent = [
        job
        for job in parts.ledger.chosen_jobs(refused.study_instance_uid)
        if job.series_key.study == refused.series_key.study
        and job.reason_code
        and job_folder(parts.settings, job.job_id).is_analysed
        and not _has_report(parts, job)
    ]
    return _best(parts, facts, silent) or refused


def _best(parts: Parts, facts: FactsCache, jobs: list[Job]) -> Job | None:
    """The job on the series that can be measured best; the newest of several on one series."""
    by_key = {job.series_key: job for job in jobs}
    known = {
        key: facts.facts(key, images_of(job, parts.settings, parts.inbox))
        for key, job in by_key.items()
    }
    return by_key[ranked(known)[0]] if by_key else None


def predecessor(parts: Parts, job: Job) -> Job | None:
    """The job whose report that of this one replaces: the valid one so far."""
    if job.replaces:
        return next(iter(parts.ledger.jobs(job.replaces)), None)
    known = parts.ledger.chosen_jobs(job.study_instance_uid)
    replaced = {other.replaces for other in known}
    valid = [
        other
        for other in known
        if other.job_id not in (job.job_id, *replaced)
        and _has_report(parts, other)
        and _is_replaced(parts, job, other)
    ]
    return max(valid, key=lambda other: other.created_at, default=None)


def _is_replaced(parts: Parts, job: Job, other: Job) -> bool:
    """True if both say something of the same, and this one later."""
    if other.patient_digest != job.patient_digest:  # the same images under a corrected identity
        return other.created_at < job.created_at and bool(_names(parts, job) & _names(parts, other))
    if other.series_key == job.series_key:
        return other.created_at < job.created_at
    return parts.settings.choice.series == "best"


def _has_report(parts: Parts, job: Job) -> bool:
    return (job_folder(parts.settings, job.job_id).results / file_of("report")).exists()


def _names(parts: Parts, job: Job) -> set[str]:
    return {path.name for path in images_of(job, parts.settings, parts.inbox)}
