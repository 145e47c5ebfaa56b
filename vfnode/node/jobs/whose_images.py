"""Patients of a series' images: corrections, and series that name several patients.

What comes again under the same UIDs with another image, or of another patient, is a correction:
it is kept beside the first, analysed anew, and its report replaces the earlier one. A series
whose images name several patients is of nobody: it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from vfnode.dicom.reading.one_patient import require_one_patient
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import NotEvaluableError, VfnodeError
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import images_of
from vfnode.node.jobs.ledger import PASSED
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import Verdict
from vfnode.spine.reason import Reason

Series = Mapping[SeriesKey, Sequence[Path]]

log = structlog.get_logger()


class WhoseImages:
    """Looks at what came again, and at who is named."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def images(self, key: SeriesKey) -> list[Path]:
        """The files of a series; versions that show the same image as before are let go of."""
        inbox = self._parts.inbox
        pairs = [
            (earlier, path)
            for path in inbox.instances(key)
            if (earlier := inbox.earlier_version(path))
        ]
        for (_, path), is_same in zip(pairs, self._same_images(pairs), strict=True):
            if is_same:
                inbox.drop_version(path)
        return inbox.instances(key)

    def verdict(self, key: SeriesKey, batch: Series) -> Verdict | tuple[str, ...]:
        """A verdict on a series whose UIDs another patient's images have too; else what to note.

        Args:
            key: of a series of the batch.
            batch: what is taken up together.
        """
        mine, sizes = _names(batch[key]), {key: len(batch[key])}
        for other, names in self._namesakes(key, batch).items():
            if not names & mine:
                sizes[other] = len(names)
            elif other in batch and _first_came(batch[key]) < _first_came(batch[other]):
                told = "the same images came again, under another patient"
                return Verdict(False, Reason.IDENTITY_CONFLICT.code, told)
        try:
            return tuple(reason.code for reason in require_one_patient(key, sizes))
        except NotEvaluableError as error:
            return Verdict(True, error.code, error.detail)

    def measured_before(self, key: SeriesKey, batch: Series) -> list[Job]:
        """Earlier jobs on other images of this series, under another patient's name.

        That the series names two patients was not known then: they must be refused as well.
        """
        mine = _names(batch[key])
        found = [
            job
            for job in self._parts.ledger.jobs(series_uid=key.series_instance_uid)
            if _is_namesake(key, job.series_key)
            and job.stage != PASSED
            and job.reason_code != Reason.IDENTITY_CONFLICT.code
            and not mine & self._names_of(job)
        ]
        return [job for job in found if _is_refused(job.series_key, job.instances, key, len(mine))]

    def _namesakes(self, key: SeriesKey, batch: Series) -> dict[SeriesKey, set[str]]:
        """Names of the images of other patients under the same study and series UID."""
        others = {other: _names(paths) for other, paths in batch.items()}
        for job in self._parts.ledger.jobs(series_uid=key.series_instance_uid):
            others.setdefault(job.series_key, set()).update(self._names_of(job))
        return {other: names for other, names in others.items() if _is_namesake(key, other)}

    def _names_of(self, job: Job) -> set[str]:
        return _names(images_of(job, self._parts.settings, self._parts.inbox))

    def _same_images(self, pairs: Sequence[tuple[Path, Path]]) -> list[bool]:
        """True if both files of each pair show the same; False if that cannot be said."""
        if not pairs:
            return []
        request = {"command": "compare", "pairs": [[str(a), str(b)] for a, b in pairs]}
        try:
            same: list[bool] = self._parts.compute.ask(request)["same"]
        except VfnodeError as error:
            log.warning("versions could not be compared", reason=str(error))
            return [False] * len(pairs)
        return same


def _is_namesake(key: SeriesKey, other: SeriesKey) -> bool:
    """Whether the same UIDs stand on another patient's images."""
    return (
        other.patient_digest != key.patient_digest
        and other.study_instance_uid == key.study_instance_uid
        and other.series_instance_uid == key.series_instance_uid
    )


def _is_refused(key: SeriesKey, count: int, other: SeriesKey, others: int) -> bool:
    try:
        require_one_patient(key, {key: count, other: others})
    except NotEvaluableError:
        return True
    return False


def _names(paths: Sequence[Path]) -> set[str]:
    """Instances, whatever their versions."""
    return {path.stem.partition("@")[0] for path in paths}


def _first_came(paths: Sequence[Path]) -> float:
    return min(path.stat().st_mtime for path in paths)
