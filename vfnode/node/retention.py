"""What the spool lets go of: images and results of jobs that every destination has."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import structlog

from vfnode.node.completeness import Completeness
from vfnode.node.job import Job, JobState
from vfnode.node.spool import job_folder, read_instances
from vfnode.node.steps import Parts

FINISHED = {JobState.DELIVERED, JobState.REJECTED}

log = structlog.get_logger()


def purge(parts: Parts, completeness: Completeness) -> None:
    """Remove the images and the work of finished jobs that are old enough.

    A series that is arriving again is left alone, and so is an image that a job which is
    not finished needs.
    """
    oldest = datetime.now(UTC) - timedelta(days=parts.settings.retention.keep_days)
    found = parts.ledger.jobs()
    busy = {job.series_key for job in found if job.state not in FINISHED}
    for job in found:
        stays = job.series_key in busy or completeness.is_arriving(job.series_key)
        if job.state in FINISHED and job.updated_at < oldest and not stays:
            _purge_one(parts, job)


def _purge_one(parts: Parts, job: Job) -> None:
    folder = job_folder(parts.settings, job.job_id)
    if not folder.path.exists():
        return
    parts.inbox.remove(job.series_key, [path.stem for path in read_instances(folder)])
    shutil.rmtree(folder.path)
    log.info("purged", job_id=job.job_id)
