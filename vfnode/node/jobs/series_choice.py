"""Choice of the series of a study that is analysed, with the reason for each other one.

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

PASSED_OVER = "other-series-preferred"  #: code of a series that waits in case the better fails
TOLD_REASONS = 5  #: at most, of what a chosen series has before the others
SHARP_KERNEL = re.compile(r"(?i)lung|bone|^[bh]r?[6-9]\d|sharp|edge|yc|yd|fc5|fc8|^d$")


@dataclass(frozen=True)
class Verdict:
    """Fate of a series: analysed, or passed over with a reason."""

    is_chosen: bool
    code: str  #: of a chosen series: why it is refused all the same; empty where it is measured
    reason: str
    notes: Sequence[str] = ()  #: codes of what its result must say


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


def choose(
    study: Mapping[SeriesKey, SeriesFacts | None], rules: ChoiceSection
) -> dict[SeriesKey, Verdict]:
    """Verdict on each series of a study; the work grows with their number alone.

    Args:
        study: the facts of every series of one patient's study; None where none can be read.
    """
    refused = {
        key: refusal
        for key, facts in study.items()
        if facts is not None and (refusal := _unsuitable(facts, rules))
    }
    suitable = ranked({key: facts for key, facts in study.items() if key not in refused})
    if rules.series == "all":
        told = Verdict(True, "", "every series is analysed (choice.series)")
        return {**refused, **dict.fromkeys(suitable, told)}
    if not suitable:
        return {**refused, **_spokesman(refused)}
    best, *others = suitable
    compared = {other: _difference(study[best], study[other]) for other in others}
    reasons = list(dict.fromkeys(compared.values()))[:TOLD_REASONS]
    return {
        **refused,
        best: Verdict(True, "", "; ".join(reasons) or "the only suitable series of the study"),
        **{
            other: Verdict(
                False, PASSED_OVER, f"series {best.series_instance_uid} is preferred: {reason}"
            )
            for other, reason in compared.items()
        },
    }


def ranked(study: Mapping[SeriesKey, SeriesFacts | None]) -> list[SeriesKey]:
    """Series in the order in which they are tried: what cannot be read comes last."""

    def place(key: SeriesKey) -> tuple[object, ...]:
        facts = study[key]
        values = [] if facts is None else [-criterion.value(facts) for criterion in RANKING]
        return facts is None, values, key

    return sorted(study, key=place)


def _spokesman(refused: Mapping[SeriesKey, Verdict]) -> dict[SeriesKey, Verdict]:
    """The series that answers for a study of none but wrong quantities: the reader refuses it."""
    not_hu = sorted(key for key, verdict in refused.items() if verdict.code == Reason.NOT_HU.code)
    return {key: Verdict(True, "", refused[key].reason) for key in not_hu[:1]}


def is_urgent(facts: SeriesFacts | None, rules: ChoiceSection) -> bool:
    """True if a site rule puts this series before the others."""
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


def _difference(better: SeriesFacts | None, other: SeriesFacts | None) -> str:
    """The first criterion in which the other one is worse."""
    if other is None or better is None:
        return "no header of the other can be read" if better else "no header can be read"
    for criterion in RANKING:
        if criterion.value(better) != criterion.value(other):
            return f"{criterion.name}: {criterion.tell(better)} against {criterion.tell(other)}"
    return "alike in all; the lower UID"


def _slice_mm(facts: SeriesFacts) -> float:
    """Blur along the normal: the thicker of slice and step."""
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
    return [str(part) for part in value] if isinstance(value, MultiValue) else [str(value)]


def _text(facts: SeriesFacts, attribute: str) -> str:
    return "\\".join(_values(facts, attribute))
