"""Conclusion of one study on fractures, with everything that may hide one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import GenantGrade, GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport
from vfnode.spine.vertebra import VertebralLevel, place_in_column

#: Reasons that say that no grade was wanted, so that nothing is hidden.
NOT_ASKED = (Reason.OUTSIDE_GRADED_LEVELS,)
#: Levels that most people lack: none of them missing is a gap.
EXTRA = ("T13", "L6")
FAR = 1.6  #: distance of two neighbours, in medians of the spine, between which one is missing


class Presence(Enum):
    """The answer on a moderate or severe fracture (PS3.16 CID 240)."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Conclusion:
    """Bodies by what is said of them; indices into the report's vertebrae."""

    answer: Presence
    fractures: tuple[int, ...]  #: moderate or severe beyond the error
    borderline: tuple[int, ...]
    mild: tuple[int, ...]  #: a deformity of which nobody knows whether it is a fracture
    graded: tuple[int, ...]
    hidden: tuple[Reason, ...]  #: why a fracture in view may have been missed

    @property
    def is_positive(self) -> bool:
        """True if a person should look soon: a fracture, or a body that may have one."""
        return bool(self.fractures or self.borderline)


def presence_of(finding: VertebraFinding) -> Presence:
    """The answer on one body: absent only where it is normal beyond the error."""
    if finding.is_fracture:
        return Presence.PRESENT
    normal = finding.grade is GenantGrade.NORMAL and not finding.is_borderline
    return Presence.ABSENT if normal else Presence.UNDETERMINED


def conclude(report: FractureReport) -> Conclusion:
    """The answer of a study; absent only where all that should be graded was, and is normal."""
    numbered = list(enumerate(report.vertebrae))
    graded = tuple(i for i, finding in numbered if finding.is_graded)
    fractures = tuple(i for i, finding in numbered if finding.is_fracture)
    borderline = tuple(i for i, finding in numbered if finding.is_graded and finding.is_borderline)
    mild = tuple(
        i for i in graded if report.vertebrae[i].grade is GenantGrade.MILD and i not in borderline
    )
    hidden = tuple(dict.fromkeys(hiding(report)))
    answer = Presence.UNDETERMINED
    if fractures:
        answer = Presence.PRESENT
    elif graded and not (borderline or mild or hidden):
        answer = Presence.ABSENT
    return Conclusion(answer, fractures, borderline, mild, graded, hidden)


def hiding(report: FractureReport) -> Iterator[Reason]:
    """Reasons why a fracture among the graded levels may have been missed."""
    if report.reason is not None:
        yield report.reason
    inner = _without_cut_ends(report.vertebrae)
    for finding in inner:
        if finding.withheld is not None and finding.withheld not in NOT_ASKED:
            yield finding.withheld
    if body_missing(report.vertebrae, report.limits):
        yield Reason.BODY_NOT_FOUND


def body_missing(findings: tuple[VertebraFinding, ...], limits: GenantLimits) -> bool:
    """True if a body of the graded levels lies between two others and was not found."""
    centres = np.array([finding.centre_patient_mm for finding in findings]).reshape(-1, 3)
    apart = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    usual = float(np.median(apart)) if len(apart) else 0.0
    pairs = zip(findings[:-1], findings[1:], apart, strict=True)
    return any(
        _skips(upper.level, lower.level, limits)
        or (VertebralLevel("unknown") in (upper.level, lower.level) and distance > FAR * usual)
        for upper, lower, distance in pairs
    )


def _skips(upper: VertebralLevel, lower: VertebralLevel, limits: GenantLimits) -> bool:
    """True if a graded level lies between two named ones."""
    if VertebralLevel("unknown") in (upper, lower):
        return False
    between = list(VertebralLevel)[place_in_column(upper) + 1 : place_in_column(lower)]
    return any(level.value not in EXTRA and limits.grades(level) for level in between)


def _without_cut_ends(findings: tuple[VertebraFinding, ...]) -> tuple[VertebraFinding, ...]:
    """Bodies without those that the upper and the lower border of the images cut."""
    whole = [i for i, finding in enumerate(findings) if finding.complete]
    return findings[whole[0] : whole[-1] + 1] if whole else ()
