"""One true body and what an analysis says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from vfnode.evaluation.cases import Body
from vfnode.spine.genant import GenantGrade

MODERATE = GenantGrade.MODERATE.rank
GRADES = tuple(grade.value for grade in GenantGrade)
BORDERLINE, NOT_GRADED, MISSED = "borderline", "not graded", "missed"
CALLS = (*GRADES, BORDERLINE, NOT_GRADED, MISSED)  #: all that can be said of a body
FRACTURES = GRADES[MODERATE:]
#: Genant's grading was made for these.
GRADED_LEVELS = frozenset({*(f"T{n}" for n in range(4, 13)), "L1", "L2", "L3", "L4"})


@dataclass(frozen=True)
class Judged:
    """One true body and what was said of it."""

    truth: Body
    found: Body | None  #: None where it was missed

    @cached_property
    def true_grade(self) -> int | None:
        """Grade as read by a person, or known; else by the true keypoints. None if nobody knows."""
        if self.truth.grade is not None:
            return self.truth.grade
        measured = grade_of(self.truth)
        return int(measured) if measured >= 0 else None

    @cached_property
    def call(self) -> str:
        """One of ``CALLS``."""
        if self.found is None:
            return MISSED
        judgement = self.found.judgement
        if judgement.grade is None:
            return NOT_GRADED
        return BORDERLINE if judgement.borderline else GRADES[judgement.grade]

    @property
    def is_graded(self) -> bool:
        """True if a grade is given, a borderline one too."""
        return self.call not in (NOT_GRADED, MISSED)

    @property
    def is_false_fracture(self) -> bool:
        """Called moderate or severe, and it is neither."""
        return self.call in FRACTURES and self.true_grade is not None and self.true_grade < MODERATE

    @property
    def is_false_mild(self) -> bool:
        """Called mild, and it is normal."""
        return self.call == GenantGrade.MILD.value and self.true_grade == 0

    @property
    def is_fracture(self) -> bool:
        """True if the body is in truth moderate or severe."""
        return self.true_grade is not None and self.true_grade >= MODERATE


def grade_of(body: Body) -> float:
    """Genant grade by the measured ratio, else as read, 0 to 3; NaN where neither is known."""
    if body.keypoints_mm is not None:
        return float(GenantGrade.from_height_ratio(body.ratio).rank)
    return float("nan") if body.grade is None else float(body.grade)
