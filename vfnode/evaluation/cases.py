"""One question to an analysis and its known answer, whatever data set it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vfnode.errors import GeometryError
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import height_ratio
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume, FloatArray

UNKNOWN_LEVEL = "unknown"
#: Why the analysis gives no grade to a body that it measured like any other: the paper's tables
#: count those bodies too.
NOT_DOUBTED = (Reason.OUTSIDE_GRADED_LEVELS, Reason.LEVEL_UNKNOWN)
UNDEFORMED = "undeformed"  #: group of the bodies that a data set left as they were


class Analyzer(Protocol):
    """Anything that measures a volume: it is evaluated."""

    def analyze(self, volume: CTVolume) -> Analysis:
        """Measure every vertebral body of one CT."""
        ...


@dataclass(frozen=True)
class Judgement:
    """Judgement of an analysis on one body."""

    grade: int | None = None  #: 0 to 3; None where the body is measured and not graded
    borderline: bool = False  #: the limit of a moderate deformity lies within the error
    probability: float = float("nan")  #: of a moderate or severe deformity


@dataclass(frozen=True)
class Body:
    """One vertebral body, read or found.

    Raises:
        GeometryError: keypoints of another shape, or heights that are not positive.
    """

    centre_mm: FloatArray  #: (3,) patient LPS
    keypoints_mm: FloatArray | None = None  #: (3, 2, 3) LPS; None where only the place is known
    level: str = UNKNOWN_LEVEL
    grade: int | None = None  #: read by a person, or known, 0 to 3; else the keypoints say it
    complete: bool = True  #: False where the border cuts it: counts neither for nor against
    withheld: bool = False  #: found, but the analysis does not grade it and says why
    group: str = ""  #: of the data set's own, such as the kind of an imposed deformity
    #: (3,) expected errors of the heights; NaN where nobody states them
    uncertainty_mm: FloatArray = field(default_factory=lambda: np.full(3, np.nan))
    judgement: Judgement = Judgement()  #: of a found body

    def __post_init__(self) -> None:
        if self.keypoints_mm is not None:
            if self.keypoints_mm.shape != (3, 2, 3):
                raise GeometryError("a body has six keypoints, shape (3, 2, 3)")
            height_ratio(self.heights_mm)

    @classmethod
    def of_keypoints(
        cls, keypoints_mm: FloatArray, level: str = UNKNOWN_LEVEL, group: str = ""
    ) -> Body:
        """A whole body from its six keypoints (3, 2, 3), LPS mm."""
        points = np.asarray(keypoints_mm, float)
        return cls(points.mean((0, 1)), points, level, group=group)

    @property
    def heights_mm(self) -> FloatArray:
        """Anterior, middle, posterior height, (3,) mm; NaN without keypoints."""
        if self.keypoints_mm is None:
            return np.full(3, np.nan)
        return heights_mm(self.keypoints_mm)

    @property
    def ratio(self) -> float:
        """Genant height ratio G; NaN without keypoints."""
        return float("nan") if self.keypoints_mm is None else height_ratio(self.heights_mm)


@dataclass(frozen=True)
class Reading:
    """All that is known, or was found, of one spine; bodies cranial to caudal."""

    bodies: tuple[Body, ...]
    curve_mm: FloatArray | None = None  #: (N, 3) LPS


@dataclass(frozen=True)
class Case:
    """One CT with a known answer; or two experts' readings of one CT that is not here."""

    name: str
    patient: str  #: cases of one patient are drawn together by the bootstrap
    load: Callable[[], tuple[CTVolume, Reading]] | None = None
    readers: tuple[Reading, Reading] | None = None  #: (truth, the other expert)
    tags: dict[str, str] = field(default_factory=dict)  #: subgroup -> this case's value
    attribution: str = ""  #: source and licence of the CT, which weights trained on it must name


def reading_of(analysis: Analysis) -> Reading:
    """Findings of an analysis, as a reading."""
    bodies = tuple(
        Body(
            finding.centre_patient_mm,
            finding.keypoints_patient_mm,
            finding.level.value,
            complete=finding.complete,
            withheld=finding.withheld not in (None, *NOT_DOUBTED),
            uncertainty_mm=finding.uncertainty_mm,
            judgement=_judgement(finding),
        )
        for finding in analysis.report.vertebrae
    )
    spine = analysis.report.spine
    return Reading(bodies, None if spine is None else spine.points_mm)


def _judgement(finding: VertebraFinding) -> Judgement:
    probability = finding.probability_moderate
    return Judgement(
        None if finding.grade is None else finding.grade.rank,
        finding.is_borderline,
        float("nan") if probability is None else probability,
    )
