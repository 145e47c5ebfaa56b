"""The conclusion as a radiologist would write it, to paste into a report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from vfnode.dicom.wording import level_label, loss_text, reason_text, words
from vfnode.spine.conclusion import Conclusion, conclude
from vfnode.spine.genant import GenantGrade, Measure
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport

SHOWN = 3  #: fractures that the headline names


def summary(report: FractureReport, language: str) -> str:
    """The headline: fractures, borderline bodies, and what was assessed."""
    phrases = words(language)["conclusion"]
    if report.reason is not None:
        return f"{words(language)['not_evaluable']}: {reason_text(report.reason, language)}"
    said = conclude(report)
    if not said.graded:
        return str(phrases["nothing"])
    bodies = [_body(report, index, language) for index in said.fractures[:SHOWN]]
    if len(said.fractures) > SHOWN:
        bodies.append(phrases["more"].format(count=len(said.fractures) - SHOWN))
    found = "; ".join(bodies) or phrases["none_assessed" if said.hidden else "none"]
    if said.borderline:
        names = _levels(report, said.borderline, language)
        found += phrases["borderline"].format(levels=names)
    return f"{found}. {_assessed(report, said.graded, language)}"


def conclusion_sentences(report: FractureReport, language: str) -> list[str]:
    """The whole conclusion, a sentence a fact, without the limits of the method."""
    if report.reason is not None:
        return [summary(report, language)]
    said = conclude(report)
    phrases = words(language)["conclusion"]
    sentences = [_body(report, index, language) for index in said.fractures]
    if said.graded and not said.fractures:
        sentences.append(_none(said, language))
    sentences += [
        phrases[name].format(levels=", ".join(_with_loss(report, index) for index in found))
        for name, found in (
            ("borderline_alone", said.borderline),
            ("mild", said.mild),
            ("usual_wedge", usual_wedges(report)),
        )
        if found
    ]
    sentences.append(_assessed(report, said.graded, language))
    return sentences + _not_assessed(report, language)


def usual_wedges(report: FractureReport) -> tuple[int, ...]:
    """Bodies that G alone would call deformed, and whose wedge is usual at their level."""
    return tuple(
        index
        for index, finding in enumerate(report.vertebrae)
        if finding.grade is GenantGrade.NORMAL
        and finding.height_ratio <= report.limits.mild
        and finding.heights_mm.argmin() == 0
    )


def _body(report: FractureReport, index: int, language: str) -> str:
    """One fracture: level, grade, type, loss and what it is a loss against."""
    finding, wording = report.vertebrae[index], words(language)
    assert finding.grade is not None
    assert finding.deformity is not None
    key = "body_expected" if finding.measure is Measure.EXPECTED else "body"
    kind = finding.endplate.value if finding.endplate else finding.deformity.value
    return str(
        wording["conclusion"][key].format(
            level=level_label(report, index),
            grade=wording["grades"][finding.grade.value],
            kind=wording["conclusion"]["kinds"][kind],
            loss=loss_text(finding),
        )
    )


def _none(said: Conclusion, language: str) -> str:
    """No fracture, said only as firmly as the conclusion allows."""
    phrases = words(language)["conclusion"]
    if not said.hidden:
        return str(phrases["none"])
    reasons = "; ".join(reason_text(reason, language) for reason in said.hidden)
    return f"{phrases['none_assessed']}, {phrases['not_excluded'].format(reasons=reasons)}"


def _with_loss(report: FractureReport, index: int) -> str:
    return f"{level_label(report, index)} ({loss_text(report.vertebrae[index])})"


def _assessed(report: FractureReport, graded: Sequence[int], language: str) -> str:
    phrases = words(language)["conclusion"]
    if not graded:
        return str(phrases["nothing"])
    return str(
        phrases["assessed"].format(levels=_levels(report, graded, language), count=len(graded))
    )


def _not_assessed(report: FractureReport, language: str) -> list[str]:
    """One sentence a reason why bodies were not graded."""
    phrase = words(language)["conclusion"]["not_assessed"]
    bodies: dict[Reason, list[int]] = {}
    for index, finding in enumerate(report.vertebrae):
        if finding.withheld is not None:
            bodies.setdefault(finding.withheld, []).append(index)
    return [
        phrase.format(
            levels=_levels(report, indices, language), reason=reason_text(reason, language)
        )
        for reason, indices in bodies.items()
    ]


def _levels(report: FractureReport, indices: Sequence[int], language: str) -> str:
    """Names of bodies, three and more in a row as a range: "C7 to T3, L1"."""
    joined = words(language)["conclusion"]["range"]
    parts: list[str] = []
    for _, run in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        names = [level_label(report, index) for _, index in run]
        short = len(names) > 2  # noqa: PLR2004 - two names are as short as their range
        parts += [joined.format(first=names[0], last=names[-1])] if short else names
    return ", ".join(parts)
