"""Words that every output shares: level, ratio, reason, fracture answer."""

from __future__ import annotations

from math import floor
from typing import Any

from vfnode.dicom.templates import texts
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import GenantGrade
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport
from vfnode.spine.vertebra import VertebralLevel

UNKNOWN = VertebralLevel("unknown")
UNCERTAIN_SIGN = "?"  #: behind a level that may be shifted by one


def words(language: str) -> dict[str, Any]:
    """Texts in a language: dicom_templates/picture_texts.json."""
    return texts("picture_texts.json", language)


def level_name(finding: VertebraFinding, index: int) -> str:
    """Level of one body, or ``#n`` where it is unknown; ``index`` counts from 0."""
    if finding.level is UNKNOWN:
        return f"#{index + 1}"
    return str(finding.level.value)


def level_label(report: FractureReport, index: int) -> str:
    """:func:`level_name` as people read it: with a question mark where it may be another one."""
    name = level_name(report.vertebrae[index], index)
    doubtful = level_certainty(report, index) == "uncertain"
    return f"{name}{UNCERTAIN_SIGN}" if doubtful else name


def level_certainty(report: FractureReport, index: int) -> str:
    """``certain``, ``uncertain`` (all names may be shifted by one) or ``unknown``."""
    if report.vertebrae[index].level is UNKNOWN:
        return "unknown"
    return "uncertain" if Reason.LEVEL_UNCERTAIN in report.quality else "certain"


def loss_text(finding: VertebraFinding) -> str:
    """The loss that the grade follows, in percent; "25.9 %" where 26 % reads as another grade."""
    limits = finding.limits
    grade = GenantGrade.from_height_ratio(finding.graded_ratio, limits)
    whole = round(100 * finding.loss)
    if GenantGrade.from_height_ratio(1 - whole / 100, limits) is grade:
        return f"{whole} %"
    # Cut, not rounded: a loss just short of a limit stays short of it.
    return f"{floor(1000 * finding.loss) / 10:.1f} %"


def reason_text(reason: Reason, language: str) -> str:
    """Meaning of a reason in a language."""
    return str(words(language)["reasons"][reason.code])


def grade_text(finding: VertebraFinding, language: str) -> str:
    """Grade and type of a graded body, in two or three words for its row."""
    wording = words(language)
    if finding.grade is None or finding.deformity is None:
        return not_graded_text(finding, language)
    if finding.is_borderline:
        return str(wording["grades"]["borderline"])
    grade = finding.grade.value
    return f"{wording['grades'][grade]} {wording['deformities'][finding.deformity.value]}".strip()


def not_graded_text(finding: VertebraFinding, language: str) -> str:
    """Reason why a body was not graded, in two or three words for its row."""
    phrases = words(language)["not_graded"]
    code = finding.withheld.code if finding.withheld else "other"
    return str(phrases.get(code, phrases["other"]))


def notes_of(report: FractureReport) -> tuple[Reason, ...]:
    """Limitations of the whole result; those of single bodies stand in their rows."""
    of_bodies = {finding.withheld for finding in report.vertebrae}
    return tuple(
        reason
        for reason in report.quality
        if reason not in of_bodies and reason is not Reason.NONE_GRADED
    )


def tracking_name(report: FractureReport, index: int) -> str:
    """Level of a body, with a number behind it where an earlier body has the same level."""
    names = [level_name(each, i) for i, each in enumerate(report.vertebrae)]
    earlier = names[:index].count(names[index])
    return f"{names[index]} ({earlier + 1})" if earlier else names[index]
