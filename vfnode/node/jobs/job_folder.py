"""The folders of a node's spool, and files that are there whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from vfnode.node.jobs.job import Job
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.settings.settings import Settings

REPORT_NAME = "report.sr.dcm"
SET_ASIDE = "replaced"


@dataclass(frozen=True)
class JobFolder:
    """What the spool holds of one job."""

    path: Path

    @property
    def instances(self) -> Path:
        """JSON list of the image files that the job is about."""
        return self.path / "instances.json"

    @property
    def choice(self) -> Path:
        """JSON of why the series was chosen or passed over."""
        return self.path / "choice.json"

    @property
    def analysis(self) -> Path:
        """Folder of what compute found, in numbers."""
        return self.path / "analysis"

    @property
    def results(self) -> Path:
        """Folder of the objects, result.json and the picture."""
        return self.path / "results"

    @property
    def is_built(self) -> bool:
        """Whether the results are there: result.json is written last."""
        return (self.results / "result.json").exists()


def inbox_folder(settings: Settings) -> Path:
    """Where received instances stand."""
    return settings.node.spool.absolute() / "inbox"


def job_folder(settings: Settings, job_id: str) -> JobFolder:
    """Where a job's work and results stand."""
    return JobFolder(settings.node.spool.absolute() / "work" / job_id)


def read_instances(folder: JobFolder) -> list[Path]:
    """The image files that a job is about."""
    return [Path(path) for path in json.loads(folder.instances.read_text("utf-8"))]


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
