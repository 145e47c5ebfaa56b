"""What a site decides about its results, and what all objects of one result share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from vfnode import __version__
from vfnode.dicom.ct_series import CTSeries
from vfnode.dicom.picture_layout import PictureFacts
from vfnode.dicom.uids import content_key, derive_uid
from vfnode.spine.report import Analysis

PRODUCT = "vfnode"


@dataclass(frozen=True)
class ResultSettings:
    """Settings of the result objects."""

    version: str = __version__
    language: str = "en"  #: of texts in the report and in the picture
    sr_series_number: int = 9901
    sc_series_number: int = 9902
    device_name: str = PRODUCT  #: Device Observer Name, e.g. the AE title of the node
    device_uid: str = field(default_factory=lambda: derive_uid("device", PRODUCT))
    institution_name: str | None = None


@dataclass(frozen=True)
class ResultContext:
    """One analysis of one series, about to become objects."""

    analysis: Analysis
    series: CTSeries
    settings: ResultSettings
    created: datetime

    def uid(self, kind: str) -> str:
        """UID of an object or series of this result: the same input gives the same UID."""
        content = content_key(
            self.series.study_instance_uid,
            [instance.sop_instance_uid for instance in self.series.instances],
            self.analysis.report,
            [self.settings.version, self.settings.language],
        )
        return derive_uid(kind, content)

    def tracking_uid(self, name: str) -> str:
        """UID of a vertebra or of the conclusion: kept by every later run on this series."""
        return derive_uid(
            "tracking", self.series.study_instance_uid, self.series.series_instance_uid, name
        )

    @property
    def picture_facts(self) -> PictureFacts:
        """What the picture says beside the measurements."""
        return PictureFacts(PRODUCT, self.settings.version, self.created, self.settings.language)
