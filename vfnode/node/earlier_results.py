"""What an earlier run on the same series has left: the report that a new one replaces."""

from __future__ import annotations

import shutil
from pathlib import Path

from vfnode.node.job import Job
from vfnode.node.ledger import Ledger
from vfnode.node.settings import Settings
from vfnode.node.spool import JobFolder, job_folder

REPORT_NAME = "report.sr.dcm"
SET_ASIDE = "replaced"


def earlier_report(job: Job, ledger: Ledger, settings: Settings) -> Path | None:
    """The report that the next one of this job replaces; None where there is none.

    That of a computation that failed before, else the newest one of an earlier job on the
    same series: one with fewer slices.
    """
    set_aside = _report(job_folder(settings, job.job_id).path / SET_ASIDE)
    if set_aside:
        return set_aside
    for other in reversed(ledger.jobs(series_uid=job.series_instance_uid)):
        if other.created_at < job.created_at and other.series_key == job.series_key:
            found = _report(job_folder(settings, other.job_id).results)
            if found:
                return found
    return None


def set_aside(folder: JobFolder) -> None:
    """Make room for new results; the old ones are kept for :func:`earlier_report`."""
    kept = folder.path / SET_ASIDE
    if folder.results.exists():
        shutil.rmtree(kept, ignore_errors=True)
        folder.results.rename(kept)


def _report(results: Path) -> Path | None:
    path = results / REPORT_NAME
    return path if path.exists() else None
