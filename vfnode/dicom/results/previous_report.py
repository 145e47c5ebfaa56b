"""The report that a new one replaces (PS3.3 C.17.2, Predecessor Documents Sequence)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from vfnode.errors import ResultError


@dataclass(frozen=True)
class PreviousReport:
    """Identity and date of the SR that was valid of the same study so far."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    created: datetime

    @classmethod
    def from_file(cls, path: Path) -> PreviousReport:
        """Read it from the SR that was sent.

        Raises:
            ResultError: the file cannot be read as one of our reports.
        """
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            return cls(
                str(dataset.StudyInstanceUID),
                str(dataset.SeriesInstanceUID),
                str(dataset.SOPClassUID),
                str(dataset.SOPInstanceUID),
                datetime.strptime(dataset.ContentDate + dataset.ContentTime, "%Y%m%d%H%M%S"),
            )
        except (OSError, InvalidDicomError, AttributeError, ValueError) as error:
            raise ResultError(f"cannot read the report to be replaced, {path}: {error}") from error

    def reference(self) -> Dataset:
        """One item of Predecessor Documents Sequence."""
        instance, series, study = Dataset(), Dataset(), Dataset()
        instance.ReferencedSOPClassUID = self.sop_class_uid
        instance.ReferencedSOPInstanceUID = self.sop_instance_uid
        series.SeriesInstanceUID = self.series_instance_uid
        series.ReferencedSOPSequence = [instance]
        study.StudyInstanceUID = self.study_instance_uid
        study.ReferencedSeriesSequence = [series]
        return study
