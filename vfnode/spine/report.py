"""What the analysis of one CT says: the one result type of the product."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vfnode.errors import GeometryError
from vfnode.spine.curve import SpineCurve
from vfnode.spine.genant import (
    Deformity,
    GenantGrade,
    GenantLimits,
    deformity,
    height_loss_posterior,
    height_ratio,
)
from vfnode.spine.reason import Reason
from vfnode.spine.straighten import SagittalImage
from vfnode.spine.vertebra import COLUMNS, ENDS, VertebralLevel, heights_mm
from vfnode.spine.volume import FloatArray


@dataclass(frozen=True)
class VertebraFinding:
    """One vertebral body as measured in the patient.

    Raises:
        GeometryError: keypoints of another shape, or heights that are not positive.
    """

    level: VertebralLevel
    level_confidence: float
    objectness: float
    keypoints_patient_mm: FloatArray  #: (3, 2, 3) LPS
    keypoints_sagittal_mm: FloatArray  #: (3, 2, 2) (x, z) on the report's sagittal image
    uncertainty_mm: float
    withheld: Reason | None = None  #: why the body is measured but not graded; None: it is graded
    limits: GenantLimits = field(default_factory=GenantLimits)

    def __post_init__(self) -> None:
        if self.keypoints_patient_mm.shape != (3, 2, 3):
            raise GeometryError("a finding has six keypoints in the patient, shape (3, 2, 3)")
        height_ratio(self.heights_mm)
        self.keypoints_patient_mm.setflags(write=False)
        self.keypoints_sagittal_mm.setflags(write=False)

    @property
    def is_graded(self) -> bool:
        """Whether the body counts for the patient."""
        return self.withheld is None

    @property
    def complete(self) -> bool:
        """False where the border of the images cuts the body."""
        return self.withheld is not Reason.CUT_VERTEBRA

    @property
    def heights_mm(self) -> FloatArray:
        """Anterior, middle, posterior height in patient space; (3,) mm."""
        return heights_mm(self.keypoints_patient_mm)

    @property
    def height_ratio(self) -> float:
        """Lowest over highest of the three heights."""
        return height_ratio(self.heights_mm)

    @property
    def grade(self) -> GenantGrade:
        """Genant grade by the site's limits."""
        return GenantGrade.from_height_ratio(self.height_ratio, self.limits)

    @property
    def deformity(self) -> Deformity:
        """Wedge, biconcave, crush or none."""
        return deformity(self.heights_mm, self.limits)

    @property
    def centre_patient_mm(self) -> FloatArray:
        """Mean of the six keypoints, LPS mm; (3,)."""
        centre: FloatArray = self.keypoints_patient_mm.mean((0, 1))
        return centre

    def to_dict(self) -> dict[str, Any]:
        """One entry of ``vertebrae`` in result.json."""
        return {
            "level": self.level.value,
            "level_confidence": self.level_confidence,
            "objectness": round(self.objectness, 4),
            "keypoints_patient_mm": _named_points(self.keypoints_patient_mm),
            "keypoints_sagittal_mm": _named_points(self.keypoints_sagittal_mm),
            "heights_mm": {
                name: round(float(height), 3)
                for name, height in zip(COLUMNS, self.heights_mm, strict=True)
            },
            "height_ratio": round(self.height_ratio, 4),
            "height_loss_posterior": round(height_loss_posterior(self.heights_mm), 4),
            "grade": self.grade.value,
            "deformity": self.deformity.value,
            "uncertainty_mm": round(self.uncertainty_mm, 3),
            "complete": self.complete,
            "not_evaluable": self.withheld.to_dict() if self.withheld else None,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], limits: GenantLimits) -> VertebraFinding:
        """Inverse of :meth:`to_dict`; what can be derived is derived again."""
        return cls(
            level=VertebralLevel(data["level"]),
            level_confidence=data["level_confidence"],
            objectness=data["objectness"],
            keypoints_patient_mm=_points_array(data["keypoints_patient_mm"]),
            keypoints_sagittal_mm=_points_array(data["keypoints_sagittal_mm"]),
            uncertainty_mm=data["uncertainty_mm"],
            withheld=_reason(data["not_evaluable"]),
            limits=limits,
        )


@dataclass(frozen=True)
class ModelUsed:
    """Which weights had a part in a result."""

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
        """The patient's grade: that of the smallest ratio; None without evaluated bodies."""
        ratio = self.min_height_ratio
        return None if ratio is None else GenantGrade.from_height_ratio(ratio, self.limits)

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
            "limits": {
                "mild": self.limits.mild,
                "moderate": self.limits.moderate,
                "severe": self.limits.severe,
            },
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
            reason=_reason(data["reason"]),
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


def _reason(entry: dict[str, str] | None) -> Reason | None:
    return None if entry is None else Reason.from_code(entry["code"])


def _spine_dict(spine: SpineCurve | None) -> dict[str, Any] | None:
    if spine is None:
        return None
    return {"points_patient_mm": np.round(spine.points_mm, 3).tolist(), "step_mm": spine.step_mm}


def _named_points(points: FloatArray) -> dict[str, dict[str, list[float]]]:
    """(3, 2, D) -> {"anterior": {"superior": [...], "inferior": [...]}, ...}."""
    return {
        column: {
            end: [round(float(value), 4) for value in point]
            for end, point in zip(ENDS, pair, strict=True)
        }
        for column, pair in zip(COLUMNS, points, strict=True)
    }


def _points_array(named: dict[str, dict[str, list[float]]]) -> FloatArray:
    """Inverse of :func:`_named_points`."""
    return np.array([[named[column][end] for end in ENDS] for column in COLUMNS], float)
