"""The folders of a node's spool, and files that are there whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vfnode.node.settings import Settings


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
