"""One vertebral body as measured, and what is thought of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vfnode.errors import GeometryError
from vfnode.spine.expected_heights import Expectation
from vfnode.spine.genant import (
    Deformity,
    Endplate,
    GenantGrade,
    GenantLimits,
    Measure,
    deformity,
    height_loss_posterior,
    height_ratio,
    hollow_endplate,
    ratio_in_itself,
    ratio_to_expected,
)
from vfnode.spine.named_columns import (
    columns_array,
    flags_array,
    named_flags,
    named_points,
    of_columns,
    points_array,
)
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import COLUMNS, VertebralLevel, heights_mm
from vfnode.spine.volume import BoolArray, FloatArray

#: Middle over posterior height of a healthy body, median of the reference readings.
USUAL_MIDDLE = 0.9


@dataclass(frozen=True)
class VertebraFinding:
    """One vertebral body as measured in the patient.

    Raises:
        GeometryError: keypoints or uncertainties of another shape, or heights that are not
            positive.
    """

    level: VertebralLevel
    level_confidence: float
    objectness: float
    keypoints_patient_mm: FloatArray  #: (3, 2, 3) LPS
    keypoints_sagittal_mm: FloatArray  #: (3, 2, 2) (x, z) on the report's sagittal image
    uncertainty_mm: FloatArray  #: (3,) expected error of anterior, middle, posterior height
    withheld: Reason | None = None  #: why the body is measured but not graded; None: it is graded
    expectation: Expectation | None = None  #: None where too few bodies were found
    probability_moderate: float | None = None  #: of a moderate or severe deformity
    is_borderline: bool = False  #: the moderate limit lies within the error
    #: Keypoints that lie on images; heights between others are told to nobody.
    seen: BoolArray = field(default_factory=lambda: np.ones((3, 2), bool))
    limits: GenantLimits = field(default_factory=GenantLimits)

    def __post_init__(self) -> None:
        if self.keypoints_patient_mm.shape != (3, 2, 3):
            raise GeometryError("a finding has six keypoints in the patient, shape (3, 2, 3)")
        if self.uncertainty_mm.shape != (3,):
            raise GeometryError("a finding has one uncertainty a height, shape (3,)")
        height_ratio(self.heights_mm)
        for array in (
            self.keypoints_patient_mm,
            self.keypoints_sagittal_mm,
            self.uncertainty_mm,
            self.seen,
        ):
            array.setflags(write=False)

    @property
    def is_graded(self) -> bool:
        """True if the body counts for the patient."""
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
    def columns_seen(self) -> BoolArray:
        """Anterior, middle, posterior: True if both ends of the height lie on images; (3,)."""
        return np.asarray(self.seen.all(1))

    @property
    def is_seen(self) -> bool:
        """True if all six keypoints lie on images."""
        return bool(self.seen.all())

    @property
    def height_ratio(self) -> float:
        """G of the paper: lowest over highest of the three heights."""
        return height_ratio(self.heights_mm)

    @property
    def expected_heights_mm(self) -> FloatArray | None:
        """Expected three heights; None if too few bodies were found."""
        return None if self.expectation is None else self.expectation.heights_mm

    @property
    def loss_own(self) -> float:
        """Height lost by one part of the body against the rest of it, 0 to 1."""
        return 1.0 - self._ratio_in_itself

    @property
    def loss_expected(self) -> float | None:
        """Height lost by the whole body against what is expected of it, 0 to 1."""
        ratio = self._ratio_to_expected
        return None if ratio is None else 1.0 - ratio

    @property
    def measure(self) -> Measure:
        """The measure with the greater loss: the grade follows it."""
        follows_itself = self.graded_ratio == self._ratio_in_itself
        return Measure.ITSELF if follows_itself else Measure.EXPECTED

    @property
    def loss(self) -> float:
        """The greater of the two losses."""
        return 1.0 - self.graded_ratio

    @property
    def graded_ratio(self) -> float:
        """Share of the height that is left by the measure with the greater loss."""
        return min(self._ratio_in_itself, self._ratio_to_expected or 1.0)

    @property
    def grade(self) -> GenantGrade | None:
        """Genant grade by the site's limits; None where the body is not graded.

        Moderate and severe are said only where they are more probable than not.
        """
        if not self.is_graded:
            return None
        measured = GenantGrade.from_height_ratio(self.graded_ratio, self.limits)
        doubtful = self.probability_moderate is not None and self.probability_moderate < 1 / 2
        return GenantGrade.MILD if doubtful and measured.is_fracture else measured

    @property
    def is_deformed(self) -> bool:
        """True if the body is graded, and not normal."""
        return self.grade not in (None, GenantGrade.NORMAL)

    @property
    def is_fracture(self) -> bool:
        """True if the body has a moderate or severe deformity beyond its error."""
        return self.grade is not None and self.grade.is_fracture and not self.is_borderline

    @property
    def deformity(self) -> Deformity | None:
        """Wedge, biconcave or crush; none for a normal body, None where it is not graded."""
        if self.grade is None:
            return None
        if self.grade is GenantGrade.NORMAL:
            return Deformity.NONE
        return deformity(self.heights_mm, self._profile_mm)

    @property
    def endplate(self) -> Endplate | None:
        """Hollow endplate of a biconcave body; None for all others."""
        if self.deformity is not Deformity.BICONCAVE:
            return None
        return hollow_endplate(self.keypoints_patient_mm)

    @property
    def centre_patient_mm(self) -> FloatArray:
        """Mean of the six keypoints, LPS mm; (3,)."""
        centre: FloatArray = self.keypoints_patient_mm.mean((0, 1))
        return centre

    @property
    def _usual_wedging(self) -> float:
        return 1.0 if self.expectation is None else self.expectation.usual_wedging

    @property
    def _ratio_in_itself(self) -> float:
        return ratio_in_itself(self.heights_mm, self._usual_wedging)

    @property
    def _ratio_to_expected(self) -> float | None:
        if self.expectation is None:
            return None
        return ratio_to_expected(self.heights_mm, self.expectation.heights_mm)

    @property
    def _profile_mm(self) -> FloatArray:
        """Expected heights; a healthy body's proportions where there are none."""
        if self.expectation is not None:
            return self.expectation.heights_mm
        ends = float(self.heights_mm[[0, 2]].max())
        return np.array([ends, USUAL_MIDDLE * ends, ends])

    def to_dict(self) -> dict[str, Any]:
        """One entry of ``vertebrae`` in result.json."""
        return {
            "level": self.level.value,
            "level_confidence": self.level_confidence,
            "objectness": round(self.objectness, 4),
            "keypoints_patient_mm": named_points(self.keypoints_patient_mm),
            "keypoints_sagittal_mm": named_points(self.keypoints_sagittal_mm),
            "seen": named_flags(self.seen),
            "heights_mm": self._heights_seen(),
            "uncertainty_mm": of_columns(self.uncertainty_mm, 3),
            "expected": None if self.expectation is None else self.expectation.to_dict(),
            **self._losses_dict(),
            **self._judgement_dict(),
            "complete": self.complete,
            "not_evaluable": self.withheld.to_dict() if self.withheld else None,
        }

    def _heights_seen(self) -> dict[str, float | None]:
        """Heights by column; null where an end lies beyond the images."""
        heights = of_columns(self.heights_mm, 3)
        return {
            column: heights[column] if seen else None
            for column, seen in zip(COLUMNS, self.columns_seen, strict=True)
        }

    def _losses_dict(self) -> dict[str, float | None]:
        """Ratio and losses; null throughout where a keypoint lies beyond the images."""
        values = {
            "height_ratio": self.height_ratio,
            "height_loss_posterior": height_loss_posterior(self.heights_mm),
            "loss_own": self.loss_own,
            "loss_expected": self.loss_expected,
        }
        return {
            name: round(value, 4) if self.is_seen and value is not None else None
            for name, value in values.items()
        }

    def _judgement_dict(self) -> dict[str, Any]:
        """Judgement of the body; null throughout if it is not graded."""
        known = self.probability_moderate if self.is_graded else None
        return {
            "measure": self.measure.value if self.is_graded else None,
            "grade": self.grade.value if self.grade else None,
            "probability_moderate": None if known is None else round(known, 4),
            "borderline": self.is_borderline if self.is_graded else None,
            "deformity": self.deformity.value if self.deformity else None,
            "endplate": self.endplate.value if self.endplate else None,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], limits: GenantLimits) -> VertebraFinding:
        """Inverse of :meth:`to_dict`; what can be derived is derived again."""
        expected = data["expected"]
        return cls(
            level=VertebralLevel(data["level"]),
            level_confidence=data["level_confidence"],
            objectness=data["objectness"],
            keypoints_patient_mm=points_array(data["keypoints_patient_mm"]),
            keypoints_sagittal_mm=points_array(data["keypoints_sagittal_mm"]),
            uncertainty_mm=columns_array(data["uncertainty_mm"]),
            withheld=reason_of(data["not_evaluable"]),
            expectation=None if expected is None else Expectation.from_dict(expected),
            probability_moderate=data["probability_moderate"],
            is_borderline=bool(data["borderline"]),
            seen=flags_array(data["seen"]),
            limits=limits,
        )


def reason_of(entry: dict[str, str] | None) -> Reason | None:
    """A reason from its form in result.json."""
    return None if entry is None else Reason.from_code(entry["code"])
