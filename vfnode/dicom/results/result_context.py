"""Context of one result: analysis, series and settings, which all its objects share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset

from vfnode.dicom.picture.pictures import Pictures
from vfnode.dicom.reading.ct_series import CTSeries, SeriesSource, SlicePlace
from vfnode.dicom.reading.series_key import patient_digest
from vfnode.dicom.results.previous_report import PreviousReport
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.uids import content_key, derive_uid
from vfnode.errors import ResultError
from vfnode.spine.conclusion import conclude
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.report import Analysis


@dataclass(frozen=True)
class ResultContext:
    """One analysis of one series, about to become objects."""

    analysis: Analysis
    series: SeriesSource
    settings: ResultSettings
    created: datetime
    replaces: PreviousReport | None = None  #: the report that was valid of this study so far

    def uid(self, kind: str) -> str:
        """UID of an object or series of this result: the same input gives the same UID."""
        report = self.analysis.report
        content = content_key(
            self.series.study_instance_uid,
            [instance.sop_instance_uid for instance in self.series.instances],
            report,
            [
                self.settings.version,
                self.settings.language,
                # It stands in the objects: two nodes never give one UID to different bytes.
                self.settings.device_uid,
                patient_digest(self.series.header),
                *([self.replaces.sop_instance_uid] if self.replaces else []),
                *([report.reason.code] if report.reason else []),
            ],
        )
        return derive_uid(kind, content)

    def tracking_uid(self, name: str) -> str:
        """UID of a vertebra or of the conclusion: kept by every later run on this series."""
        return derive_uid(
            "tracking", self.series.study_instance_uid, self.series.series_instance_uid, name
        )

    @property
    def is_positive(self) -> bool:
        """True if a body has a moderate or severe deformity, or may have one."""
        return conclude(self.analysis.report).is_positive

    def slice_of(self, finding: VertebraFinding) -> SlicePlace:
        """The CT slice that holds the centre of a body.

        Raises:
            ResultError: the series was not read; nothing can have been measured in it.
        """
        if not isinstance(self.series, CTSeries):
            raise ResultError("a report with vertebrae needs the volume that they lie in")
        return self.series.place_of(finding.centre_patient_mm)


@dataclass(frozen=True)
class Building:
    """One result on its way to become objects."""

    context: ResultContext
    pictures: Pictures
    sources: list[Dataset]  #: items of Source Image Sequence, which the pictures share
    made: dict[str, Dataset] = field(default_factory=dict)  #: DICOM objects by output name
