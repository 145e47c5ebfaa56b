"""From measured bodies to the findings of the report, and what limits them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vfnode.inference.withhold import withheld_reasons
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import VertebraFinding
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume, FloatArray

UNKNOWN_LEVEL = VertebralLevel["UNKNOWN"].value
SURE = 0.9  #: share of all ways to name the column; below it names are said to be uncertain
THICK_SLICE_MM = 3.0


@dataclass(frozen=True)
class Bodies:
    """Bodies in the patient, cranial to caudal; n may be 0."""

    keypoints_mm: FloatArray  #: (n, 3, 2, 3) LPS
    objectness: FloatArray  #: (n,)
    uncertainty_mm: FloatArray  #: (n,)
    names: tuple[str, ...] = ()  #: n vertebral levels
    name_confidence: FloatArray = field(default_factory=lambda: np.zeros(0))  #: (n,)

    def keep(self, chosen: np.ndarray) -> Bodies:
        """Some of them, not named; ``chosen`` (n,) bool."""
        return Bodies(
            self.keypoints_mm[chosen], self.objectness[chosen], self.uncertainty_mm[chosen]
        )


def findings_of(
    volume: CTVolume, bodies: Bodies, drawn_mm: FloatArray, limits: GenantLimits
) -> tuple[VertebraFinding, ...]:
    """One finding a body; ``drawn_mm`` (n, 3, 2, 2) are its points on the picture."""
    withheld = withheld_reasons(volume, bodies.keypoints_mm, bodies.uncertainty_mm)
    return tuple(
        VertebraFinding(
            level=VertebralLevel(bodies.names[i]),
            level_confidence=_confidence(bodies, i),
            objectness=float(bodies.objectness[i]),
            keypoints_patient_mm=bodies.keypoints_mm[i],
            keypoints_sagittal_mm=drawn_mm[i],
            uncertainty_mm=float(bodies.uncertainty_mm[i]),
            withheld=withheld[i],
            limits=limits,
        )
        for i in range(len(drawn_mm))
    )


def quality_of(volume: CTVolume, findings: tuple[VertebraFinding, ...]) -> tuple[Reason, ...]:
    """What limits the result, coded."""
    named = [f for f in findings if f.level is not VertebralLevel(UNKNOWN_LEVEL)]
    facts = {
        Reason.LEVEL_UNKNOWN: len(named) < len(findings),
        Reason.LEVEL_UNCERTAIN: any(f.level_confidence < SURE for f in named),
        Reason.THICK_SLICES: max(volume.spacing_mm) > THICK_SLICE_MM,
        **{reason: True for reason in Reason if any(f.withheld is reason for f in findings)},
        Reason.NONE_GRADED: not any(f.is_graded for f in findings),
    }
    return tuple(reason for reason, holds in facts.items() if holds)


def _confidence(bodies: Bodies, index: int) -> float:
    """Of the name of one body; none where there is none."""
    known = bodies.names[index] != UNKNOWN_LEVEL
    return round(float(bodies.name_confidence[index]), 4) if known else 0.0
