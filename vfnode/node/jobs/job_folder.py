"""The folders of a node's spool, and what stands in that of a job."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from vfnode.durable_files import is_whole, move_folder, read_json, write_json
from vfnode.node.jobs.job import Job, job_id_of
from vfnode.node.jobs.series_choice import Verdict
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.settings.settings import Settings

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
    def renewal(self) -> Path:
        """JSON of the moment for which its analysis was made anew, on a person's wish."""
        return self.path / "renewal.json"

    def is_renewed(self, job: Job) -> bool:
        """Whether what stands here is what a person asked for last."""
        wanted = job.renewed_at.isoformat() if job.renewed_at else None
        return wanted is None or read_json(self.renewal) == wanted

    @property
    def is_analysed(self) -> bool:
        """Whether the analysis is there and unharmed."""
        return is_whole(self.analysis)

    @property
    def is_built(self) -> bool:
        """Whether every result is there and unharmed."""
        return is_whole(self.results)


def inbox_folder(settings: Settings) -> Path:
    """Where received instances stand."""
    return settings.node.spool.absolute() / "inbox"


def job_folder(settings: Settings, job_id: str) -> JobFolder:
    """Where a job's work and results stand."""
    return JobFolder(settings.node.spool.absolute() / "work" / job_id)


def images_of(job: Job, settings: Settings, inbox: Inbox) -> list[Path]:
    """The image files that a job is about; none where that is no longer known.

    A damaged list is written again where the inbox holds the images that the job is named after.
    """
    folder = job_folder(settings, job.job_id)
    listed = read_json(folder.instances)
    if listed:
        return [Path(path) for path in listed]
    held = inbox.instances(job.series_key)
    if job_id_of(job.series_key, [path.name for path in held]) != job.job_id:
        return []
    write_json(folder.instances, [str(path) for path in held])
    return held


def read_verdict(folder: JobFolder) -> Verdict | None:
    """What became of the series of a job; None where that is not yet, or no longer, known."""
    found = read_json(folder.choice)
    return Verdict(**found) if found else None


def set_aside(folder: JobFolder) -> None:
    """Make room for new results; the old ones are kept, as the new report replaces theirs."""
    kept = folder.path / SET_ASIDE
    if folder.results.exists():
        shutil.rmtree(kept, ignore_errors=True)
        move_folder(folder.results, kept)
