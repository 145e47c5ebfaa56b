"""What a site decides about its results, and what all objects of one result share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from vfnode import __version__
from vfnode.dicom.predecessor import PreviousReport
from vfnode.dicom.reading.ct_series import CTSeries, SeriesSource, SlicePlace
from vfnode.dicom.uids import content_key, derive_uid
from vfnode.dicom.wording import presence_name
from vfnode.errors import ResultError
from vfnode.spine.report import Analysis, VertebraFinding

PRODUCT = "vfnode"


class When(Enum):
    """For which results a site wants an object."""

    ALWAYS = "always"
    POSITIVES = "positives"  #: only where a graded body reaches the moderate limit
    NEVER = "never"


@dataclass(frozen=True)
class ResultSettings:
    """Settings of the result objects."""

    version: str = __version__
    language: str = "en"  #: of texts in the report and in the pictures
    sr_series_number: int = 9901
    sc_series_number: int = 9902
    ko_series_number: int = 9903
    device_name: str = PRODUCT  #: Device Observer Name, e.g. the AE title of the node
    device_uid: str = field(default_factory=lambda: derive_uid("device", PRODUCT))
    institution_name: str | None = None
    #: name of an output -> value of When; what is not named keeps the table's default
    objects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultContext:
    """One analysis of one series, about to become objects."""

    analysis: Analysis
    series: SeriesSource
    settings: ResultSettings
    created: datetime
    replaces: PreviousReport | None = None  #: the report of an earlier run on this series

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
        """Whether a graded body reaches the moderate limit."""
        report = self.analysis.report
        return presence_name(report.min_height_ratio, report.limits) == "present"

    def slice_of(self, finding: VertebraFinding) -> SlicePlace:
        """The CT slice that holds the centre of a body.

        Raises:
            ResultError: the series was not read; nothing can have been measured in it.
        """
        if not isinstance(self.series, CTSeries):
            raise ResultError("a report with vertebrae needs the volume that they lie in")
        return self.series.place_of(finding.centre_patient_mm)
