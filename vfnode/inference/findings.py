"""From measured bodies to the findings of the report, and what limits them."""

from __future__ import annotations

from vfnode.inference.bodies import UNKNOWN_LEVEL, Bodies
from vfnode.inference.judge import Judge
from vfnode.spine.conclusion import body_missing
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.seen import seen_keypoints
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume, FloatArray

SURE = 0.9  #: share of all ways to name the column; below it names are said to be uncertain
THICK_SLICE_MM = 3.0


def findings_of(
    volume: CTVolume, bodies: Bodies, drawn_mm: FloatArray, judge: Judge
) -> tuple[VertebraFinding, ...]:
    """One finding a body; ``drawn_mm`` (n, 3, 2, 2) are its points on the picture."""
    judged = judge.judge(volume, bodies)
    seen = seen_keypoints(volume, bodies.keypoints_mm)
    return tuple(
        VertebraFinding(
            level=VertebralLevel(bodies.levels.shown[i]),
            level_confidence=_confidence(bodies, i),
            objectness=float(bodies.objectness[i]),
            keypoints_patient_mm=bodies.keypoints_mm[i],
            keypoints_sagittal_mm=drawn_mm[i],
            uncertainty_mm=judged[i].uncertainty_mm,
            withheld=judged[i].withheld,
            expectation=judged[i].expectation,
            probability_moderate=judged[i].probability_moderate,
            is_borderline=judged[i].is_borderline,
            seen=seen[i],
            limits=judge.limits,
        )
        for i in range(len(drawn_mm))
    )


def quality_of(
    volume: CTVolume, findings: tuple[VertebraFinding, ...], limits: GenantLimits
) -> tuple[Reason, ...]:
    """Coded reasons that limit the result."""
    named = [f for f in findings if f.level is not VertebralLevel(UNKNOWN_LEVEL)]
    facts = {
        Reason.LEVEL_UNKNOWN: len(named) < len(findings),
        Reason.LEVEL_UNCERTAIN: any(f.level_confidence < SURE for f in named),
        Reason.THICK_SLICES: max(volume.spacing_mm) > THICK_SLICE_MM,
        **{reason: True for reason in Reason if any(f.withheld is reason for f in findings)},
        Reason.BODY_NOT_FOUND: body_missing(findings, limits),
        Reason.NONE_GRADED: not any(f.is_graded for f in findings),
    }
    return tuple(reason for reason, holds in facts.items() if holds)


def _confidence(bodies: Bodies, index: int) -> float:
    """Confidence of one body's level; 0 where it is not named."""
    known = bodies.levels.shown[index] != UNKNOWN_LEVEL
    return round(float(bodies.levels.confidence[index]), 4) if known else 0.0
