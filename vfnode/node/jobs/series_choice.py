"""Which series of a study is analysed, and why each other one is not.

Site rules come first, then what is derived, then a ranking: of two series of one study the
one on which vertebral bodies can be measured better wins, and the first thing in which they
differ is the reason that is stored with both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydicom.multival import MultiValue

from vfnode.dicom.reading.joining import THICK_MM
from vfnode.dicom.reading.selection import is_original
from vfnode.dicom.reading.series_facts import SeriesFacts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.settings.choice import ChoiceSection
from vfnode.spine.reason import Reason

SHARP_KERNEL = re.compile(r"(?i)lung|bone|^[bh]r?[6-9]\d|sharp|edge|yc|yd|fc5|fc8|^d$")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a series."""

    is_chosen: bool
    code: str
    reason: str


@dataclass(frozen=True)
class Criterion:
    """One thing by which series differ; more is better."""

    name: str
    value: Callable[[SeriesFacts], float]
    tell: Callable[[SeriesFacts], str]


#: In the order of what they mean for a height: first what makes it wrong, last what is taste.
RANKING: Sequence[Criterion] = (
    Criterion(
        "orientation",
        lambda facts: float(abs(facts.normal[2]) > 0.5),  # noqa: PLR2004 - 60 degrees
        lambda facts: "axial" if abs(facts.normal[2]) > 0.5 else "not axial",  # noqa: PLR2004
    ),
    Criterion(
        "slices",
        lambda facts: float(0 < _slice_mm(facts) <= THICK_MM),
        lambda facts: f"{_slice_mm(facts):.1f} mm slices",
    ),
    Criterion(
        "coverage",
        lambda facts: round(facts.coverage_mm / 30),  # less than a vertebral body is no reason
        lambda facts: f"{facts.coverage_mm:.0f} mm covered",
    ),
    Criterion(
        "kernel",
        lambda facts: float(not SHARP_KERNEL.search(_text(facts, "ConvolutionKernel"))),
        lambda facts: f"kernel {_text(facts, 'ConvolutionKernel') or 'not stated'}",
    ),
    Criterion(
        "spacing",
        lambda facts: -round(_slice_mm(facts), 1),
        lambda facts: f"{_slice_mm(facts):.1f} mm slices",
    ),
    Criterion(
        "contrast",
        lambda facts: float(not _text(facts, "ContrastBolusAgent")),
        lambda facts: "contrast agent" if _text(facts, "ContrastBolusAgent") else "no contrast",
    ),
)


def judge(key: SeriesKey, study: Mapping[SeriesKey, SeriesFacts], rules: ChoiceSection) -> Verdict:
    """Whether this series of a study is analysed.

    Args:
        study: the facts of every readable series of the study.
    """
    facts = study.get(key)
    if facts is None:
        return Verdict(True, "", "no header could be read; left to the reader")
    refusal = _unsuitable(facts, rules)
    if refusal is not None:
        return refusal
    if rules.series == "all":
        return Verdict(True, "", "every series is analysed (choice.series)")
    others = {
        other: found
        for other, found in study.items()
        if other != key and _unsuitable(found, rules) is None
    }
    reasons = []
    for other, found in sorted(others.items()):
        sign, reason = _compare(facts, found)
        if sign < 0 or (sign == 0 and other < key):
            name = other.series_instance_uid
            return Verdict(False, "other-series-preferred", f"series {name} is preferred: {reason}")
        reasons.append(reason)
    return Verdict(True, "", "; ".join(reasons) or "the only suitable series of the study")


def is_urgent(facts: SeriesFacts | None, rules: ChoiceSection) -> bool:
    """Whether a site rule puts this series before the others."""
    return facts is not None and any(_matches(facts, rule) for rule in rules.urgent)


def _unsuitable(facts: SeriesFacts, rules: ChoiceSection) -> Verdict | None:
    if not is_original(_values(facts, "ImageType")):
        return Verdict(False, "derived-object", "a derived image, not a slice of the scanner")
    if not facts.is_hu:
        return Verdict(False, Reason.NOT_HU.code, "the pixel values are no HU by the header's word")
    for rule in rules.exclude:
        if _matches(facts, rule):
            return Verdict(False, "excluded-by-site", f"choice.exclude: {rule}")
    if rules.include and not any(_matches(facts, rule) for rule in rules.include):
        return Verdict(False, "excluded-by-site", "no rule of choice.include fits")
    return None


def _compare(facts: SeriesFacts, other: SeriesFacts) -> tuple[int, str]:
    for criterion in RANKING:
        mine, theirs = criterion.value(facts), criterion.value(other)
        if mine != theirs:
            told = f"{criterion.tell(facts)} against {criterion.tell(other)}"
            if mine < theirs:
                told = f"{criterion.tell(other)} against {criterion.tell(facts)}"
            return (1 if mine > theirs else -1), f"{criterion.name}: {told}"
    return 0, "alike in all; the lower UID"


def _slice_mm(facts: SeriesFacts) -> float:
    """What blurs along the normal: the thicker of slice and step."""
    return max(facts.thickness_mm, facts.step_mm)


def _matches(facts: SeriesFacts, rule: str) -> bool:
    attribute, _, pattern = rule.partition("=")
    return any(
        re.search(pattern.strip(), value, re.IGNORECASE)
        for value in _values(facts, attribute.strip())
    )


def _values(facts: SeriesFacts, attribute: str) -> list[str]:
    value = facts.header.get(attribute)
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, MultiValue) else [str(value)]


def _text(facts: SeriesFacts, attribute: str) -> str:
    return "\\".join(_values(facts, attribute))
