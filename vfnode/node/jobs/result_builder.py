"""Makes the analysis and the results of a job, and makes them again where they are damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from vfnode.dicom.results.output_files import file_of
from vfnode.errors import ComputeError, UnreadableInputError, VfnodeError
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import SET_ASIDE, images_of, job_folder, read_verdict
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.study import predecessor

COMPUTE_ATTEMPTS = 2

log = structlog.get_logger()


class ResultBuilder:
    """Asks the compute child for what a job's folder lacks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def images(self, job: Job) -> list[Path]:
        """The image files of a job.

        Raises:
            UnreadableInputError: some are gone, or which they were is no longer known.
        """
        images = images_of(job, self._parts.settings, self._parts.inbox)
        if not images:
            raise UnreadableInputError("the list of its images is damaged")
        missing = [path for path in images if not path.exists()]
        if missing:
            raise UnreadableInputError(f"{len(missing)} images are no longer in the inbox")
        return images

    def analyse(self, job: Job) -> None:
        """Analyse the series of a job; the numbers stand in its folder afterwards.

        Raises:
            NotEvaluableError: the series is unsuitable.
            ComputeError: the computation failed twice.
            VfnodeError: the images, or the models, cannot be read.
        """
        reason = self._ask_twice("compute", job).get("reason")
        if reason:
            self._parts.ledger.set_reason(job.job_id, reason["code"], reason["meaning"])

    def build(self, job: Job) -> None:
        """Make the results of a job from its analysis; nothing where all are there and unharmed.

        The objects have the same UIDs each time. A damaged analysis is made again first.

        Raises:
            VfnodeError: as `analyse`, or an object cannot be built.
        """
        folder = job_folder(self._parts.settings, job.job_id)
        if folder.is_built:  # other bytes under the same UIDs might reach a second PACS
            return
        if not folder.is_analysed:
            log.warning("analysis is damaged: made again", job_id=job.job_id)
            self.analyse(job)
        self._ask_twice("build", job)

    def _ask_twice(self, command: str, job: Job) -> dict[str, Any]:
        folder = job_folder(self._parts.settings, job.job_id)
        verdict = read_verdict(folder)
        earlier = self._earlier_report(job) if command == "build" else None
        request = {
            "command": command,
            "instances": [str(path) for path in self.images(job)],
            "analysis": str(folder.analysis),
            "results": str(folder.results),
            "created": f"{job.results_date.astimezone().replace(tzinfo=None)}",
            "replaces": str(earlier) if earlier else None,
            "notes": list(verdict.notes) if verdict else [],
        }
        for attempt in range(1, COMPUTE_ATTEMPTS):
            try:
                return self._parts.compute.ask(request)
            except ComputeError as error:
                log.warning("tried again", job_id=job.job_id, attempt=attempt, reason=str(error))
        return self._parts.compute.ask(request)

    def _earlier_report(self, job: Job) -> Path | None:
        """The report that the next one of this job replaces; None where there is none.

        That of a computation that failed before, else the one that is valid of its study.
        """
        name = file_of("report")
        set_aside = job_folder(self._parts.settings, job.job_id).path / SET_ASIDE / name
        if set_aside.exists():
            return set_aside
        earlier = predecessor(self._parts, job)
        if earlier is None or not self._is_whole(earlier):
            return None
        if not job.replaces:
            self._parts.ledger.set_replaces(job.job_id, earlier.job_id)
        return job_folder(self._parts.settings, earlier.job_id).results / name

    def _is_whole(self, other: Job) -> bool:
        """Whether an earlier job has its results, mended if need be."""
        if not job_folder(self._parts.settings, other.job_id).results.exists():
            return False
        try:
            self.build(other)
        except VfnodeError as error:
            log.warning("earlier report is damaged", job_id=other.job_id, reason=str(error))
            return False
        return True
