"""A volume is of one patient: what becomes of a series whose images name several."""

from __future__ import annotations

from collections.abc import Mapping

from vfnode.dicom.reading.runs import MIN_SLICES
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason


def require_one_patient(key: SeriesKey, sizes: Mapping[SeriesKey, int]) -> tuple[Reason, ...]:
    """Refuse a series whose images name another patient as well.

    Whose body such images show cannot be known. A few strays, too few for a volume of anybody,
    stop nothing: they are left out, and the result says so.

    Args:
        sizes: number of images of every series at hand.

    Returns:
        What the result must say; empty where all images name one patient.

    Raises:
        NotEvaluableError: identity-conflict.
    """
    strangers = sum(size for other, size in sizes.items() if _is_other_patient(key, other))
    if strangers >= min(MIN_SLICES, sizes[key]):
        raise NotEvaluableError(
            Reason.IDENTITY_CONFLICT.code,
            f"{strangers} images of the series name another patient than {sizes[key]} others",
        )
    return (Reason.IDENTITY_CONFLICT,) if strangers else ()


def _is_other_patient(key: SeriesKey, other: SeriesKey) -> bool:
    same_series = (
        key.study_instance_uid == other.study_instance_uid
        and key.series_instance_uid == other.series_instance_uid
    )
    return same_series and key.patient_digest != other.patient_digest
