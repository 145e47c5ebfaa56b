"""Words that every output shares: level, ratio, reason, fracture answer."""

from __future__ import annotations

from typing import Any

from vfnode.dicom.templates import texts
from vfnode.spine.genant import GenantGrade, GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport, VertebraFinding
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


def ratio_text(ratio: float, limits: GenantLimits) -> str:
    """G with two decimals, three where two would read as another grade (0.804 as 0.80)."""
    grade = GenantGrade.from_height_ratio(ratio, limits)
    short = f"{ratio:.2f}"
    if GenantGrade.from_height_ratio(float(short), limits) is grade:
        return short
    return f"{ratio:.3f}"


def reason_text(reason: Reason, language: str) -> str:
    """Meaning of a reason in a language."""
    return str(words(language)["reasons"][reason.code])


def not_graded_text(finding: VertebraFinding, language: str) -> str:
    """Why a body was not graded, in two or three words for its row."""
    phrases = words(language)["not_graded"]
    code = finding.withheld.code if finding.withheld else "other"
    return str(phrases.get(code, phrases["other"]))


def notes_of(report: FractureReport) -> tuple[Reason, ...]:
    """What limits the whole result; what is said of single bodies stands in their rows."""
    of_bodies = {finding.withheld for finding in report.vertebrae}
    return tuple(
        reason
        for reason in report.quality
        if reason not in of_bodies and reason is not Reason.NONE_GRADED
    )


def summary(report: FractureReport, language: str) -> str:
    """One sentence: how many graded bodies reach the moderate limit, and the smallest G."""
    wording = words(language)
    if report.reason is not None:
        return f"{wording['not_evaluable']}: {reason_text(report.reason, language)}"
    graded = report.evaluated
    if not graded:
        return str(wording["summary_undetermined"])
    lowest = min(graded, key=lambda finding: finding.height_ratio)
    limit = report.limits.moderate
    count = sum(finding.height_ratio <= limit for finding in graded)
    sentence: str = wording["summary_some" if count else "summary_none"]
    index = next(i for i, finding in enumerate(report.vertebrae) if finding is lowest)
    return sentence.format(
        count=count,
        graded=len(graded),
        limit=limit,
        ratio=ratio_text(lowest.height_ratio, report.limits),
        level=level_label(report, index),
        grade=wording["grades"][lowest.grade.value],
    )


def presence_name(ratio: float | None, limits: GenantLimits) -> str:
    """``present`` where the height ratio reaches the moderate limit; name of a concept.

    ``undetermined`` without a ratio: nothing was graded.
    """
    if ratio is None:
        return "undetermined"
    return "present" if ratio <= limits.moderate else "absent"


def tracking_name(report: FractureReport, index: int) -> str:
    """Level of a body, with a number behind it where an earlier body has the same level."""
    names = [level_name(each, i) for i, each in enumerate(report.vertebrae)]
    earlier = names[:index].count(names[index])
    return f"{names[index]} ({earlier + 1})" if earlier else names[index]
