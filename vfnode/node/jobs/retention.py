"""Retention: images and results of jobs that every destination has leave the spool."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import structlog

from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import images_of, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.receiving.completeness import Completeness

FINISHED = {JobState.DELIVERED, JobState.REJECTED}
MEGABYTE = 1_000_000

log = structlog.get_logger()


def purge(parts: Parts, completeness: Completeness) -> None:
    """Remove the images and the results of finished jobs that are old enough.

    A series that is arriving again is left alone, and so is an image that a job which is
    not finished needs.
    """
    retention = parts.settings.retention
    now = datetime.now(UTC)
    for job in _removable(parts, completeness):
        if job.updated_at < now - timedelta(days=retention.keep_days):
            _purge_images(parts, job)
        if job.updated_at < now - timedelta(days=retention.keep_results_days):
            _purge_results(parts, job)


def remove_let_go(parts: Parts, completeness: Completeness) -> None:
    """Remove what a person let go of, as soon as nothing needs it."""
    if not parts.ledger.let_go_jobs():
        return
    for job in _removable(parts, completeness):
        if job.let_go_at is not None:
            _purge_results(parts, job)
            parts.ledger.let_go(job.job_id, None)


def make_room(parts: Parts, completeness: Completeness) -> None:
    """Remove what may go while the disk runs full: images, then results, oldest first."""
    if _has_room(parts):
        return
    for remove in (_purge_images, _purge_results):
        if _remove_until_room(parts, completeness, remove):
            return
    log.warning("no room", reason="what is left in the spool is not finished, or not its own")


def _remove_until_room(
    parts: Parts, completeness: Completeness, remove: Callable[[Parts, Job], None]
) -> bool:
    for job in sorted(_removable(parts, completeness), key=lambda job: job.updated_at):
        remove(parts, job)
        if _has_room(parts):
            return True
    return False


def _has_room(parts: Parts) -> bool:
    free = shutil.disk_usage(parts.settings.node.spool).free
    return free >= parts.settings.retention.room_mb * MEGABYTE


def _removable(parts: Parts, completeness: Completeness) -> Iterator[Job]:
    found = parts.ledger.jobs()
    busy = {job.series_key for job in found if job.state not in FINISHED}
    for job in found:
        stays = job.series_key in busy or completeness.is_arriving(job.series_key)
        if job.state in FINISHED and not stays and _is_held(parts, job):
            yield job


def _is_held(parts: Parts, job: Job) -> bool:
    return job_folder(parts.settings, job.job_id).instances.exists()


def _purge_images(parts: Parts, job: Job) -> None:
    paths = images_of(job, parts.settings, parts.inbox)
    if any(path.exists() for path in paths):
        parts.inbox.remove(job.series_key, [path.name for path in paths])
        log.info("images purged", job_id=job.job_id)


def _purge_results(parts: Parts, job: Job) -> None:
    _purge_images(parts, job)
    shutil.rmtree(job_folder(parts.settings, job.job_id).path)
    log.info("results purged", job_id=job.job_id)
