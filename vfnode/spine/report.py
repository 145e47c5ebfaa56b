"""Result of the analysis of one CT: the one result type of the product."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from vfnode.spine.curve import SpineCurve
from vfnode.spine.finding import VertebraFinding, reason_of
from vfnode.spine.genant import GenantGrade, GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.straighten import SagittalImage


@dataclass(frozen=True)
class ModelUsed:
    """One set of weights that had a part in a result."""

    name: str
    sha256: str
    role: str  #: spine, vertebrae, keypoints or levels

    def to_dict(self) -> dict[str, str]:
        """One entry of ``models`` in result.json."""
        return {"name": self.name, "sha256": self.sha256, "role": self.role}


@dataclass(frozen=True)
class FractureReport:
    """The result of one series, without any identity; vertebrae run cranial to caudal."""

    models: tuple[ModelUsed, ...]
    spine: SpineCurve | None
    vertebrae: tuple[VertebraFinding, ...]
    reason: Reason | None = None  #: set where the series was not evaluable
    quality: tuple[Reason, ...] = ()
    limits: GenantLimits = field(default_factory=GenantLimits)
    timing_s: dict[str, float] = field(default_factory=dict)

    @property
    def evaluated(self) -> tuple[VertebraFinding, ...]:
        """The bodies that count for the patient."""
        return tuple(finding for finding in self.vertebrae if finding.is_graded)

    @property
    def min_height_ratio(self) -> float | None:
        """Smallest ratio of the evaluated bodies; None without any."""
        return min((finding.height_ratio for finding in self.evaluated), default=None)

    @property
    def grade(self) -> GenantGrade | None:
        """The patient's grade: the worst of the evaluated bodies; None without any."""
        grades = [finding.grade for finding in self.vertebrae if finding.grade is not None]
        return max(grades, key=lambda grade: grade.rank, default=None)

    def to_dict(self) -> dict[str, Any]:
        """The part of result.json that carries no identity."""
        smallest = self.min_height_ratio
        return {
            "schema": 1,
            "status": "analysed" if self.reason is None else "not_evaluable",
            "reason": self.reason.to_dict() if self.reason else None,
            "models": [model.to_dict() for model in self.models],
            "spine": _spine_dict(self.spine),
            "vertebrae": [finding.to_dict() for finding in self.vertebrae],
            "patient": {
                "grade": self.grade.value if self.grade else None,
                "min_height_ratio": None if smallest is None else round(smallest, 4),
                "vertebrae_evaluated": len(self.evaluated),
            },
            "limits": asdict(self.limits),
            "quality": [reason.to_dict() for reason in self.quality],
            "timing_s": {name: round(value, 3) for name, value in self.timing_s.items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FractureReport:
        """Inverse of :meth:`to_dict`; keys that it does not know are passed over."""
        limits = GenantLimits(**data["limits"])
        spine = data["spine"]
        return cls(
            models=tuple(ModelUsed(**model) for model in data["models"]),
            spine=SpineCurve(np.array(spine["points_patient_mm"]), spine["step_mm"])
            if spine
            else None,
            vertebrae=tuple(VertebraFinding.from_dict(v, limits) for v in data["vertebrae"]),
            reason=reason_of(data["reason"]),
            quality=tuple(Reason.from_code(entry["code"]) for entry in data["quality"]),
            limits=limits,
            timing_s=dict(data["timing_s"]),
        )


@dataclass(frozen=True)
class Analysis:
    """A report and the image that it is drawn on; no image where no spine was found."""

    report: FractureReport
    sagittal: SagittalImage | None

    def with_quality(self, reasons: tuple[Reason, ...]) -> Analysis:
        """The same analysis with further reasons that limit it; each is told once."""
        quality = tuple(dict.fromkeys((*self.report.quality, *reasons)))
        return replace(self, report=replace(self.report, quality=quality))

    def with_timing(self, stage: str, seconds: float) -> Analysis:
        """The same analysis with the wall time of one more stage."""
        timing = {**self.report.timing_s, stage: seconds}
        return replace(self, report=replace(self.report, timing_s=timing))


def _spine_dict(spine: SpineCurve | None) -> dict[str, Any] | None:
    if spine is None:
        return None
    return {"points_patient_mm": np.round(spine.points_mm, 3).tolist(), "step_mm": spine.step_mm}
