"""The key of a series: its study and itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class SeriesKey:
    """One series of one study; a series UID alone is not unique in the field."""

    study_instance_uid: str
    series_instance_uid: str
