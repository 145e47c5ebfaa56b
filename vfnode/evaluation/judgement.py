"""The tables on what an analysis says, of one data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from vfnode.evaluation.calls import judged
from vfnode.evaluation.judged import BORDERLINE, CALLS, GRADES, MISSED, MODERATE, Judged
from vfnode.evaluation.probability import ReliabilityBin, ThresholdRow, reliability, thresholds
from vfnode.evaluation.ranking import Results
from vfnode.evaluation.results import CaseResult


@dataclass(frozen=True)
class CallRow:
    """Counts of each call on the bodies of one row."""

    name: str
    counts: dict[str, int]  #: CALLS -> bodies

    @property
    def bodies(self) -> int:
        """All of the row."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class FalseCalls:
    """Wrong calls on one CT, or on one patient's CT of one thickness."""

    name: str
    bodies: int
    graded: int  #: borderline ones among them
    true_fractures: str  #: levels; an empty text for none
    false_fractures: str
    false_mild: str
    unseen: str  #: true moderate or severe ones that were called normal or mild, or missed
    borderline: str


@dataclass(frozen=True)
class JudgementTables:
    """Calls against truth, false calls of each CT, and what the stated probability is worth."""

    confusion: tuple[CallRow, ...]
    groups: tuple[CallRow, ...]
    false_calls: tuple[FalseCalls, ...]
    thresholds: tuple[ThresholdRow, ...]
    reliability: tuple[ReliabilityBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Row for the JSON; NaN becomes null."""
        return {
            "calls by true grade": {row.name: row.counts for row in self.confusion},
            "calls by group": {row.name: row.counts for row in self.groups},
            "false calls": [asdict(row) for row in self.false_calls],
            "thresholds": [_finite(asdict(row)) for row in self.thresholds],
            "reliability": [_finite(asdict(row)) for row in self.reliability],
        }


def judgement_tables(results: Results) -> JudgementTables:
    """Every table of one data set's results."""
    return JudgementTables(
        confusion(results),
        calls_by_group(results),
        false_calls(results),
        thresholds(results),
        reliability(results),
    )


def confusion(results: Results) -> tuple[CallRow, ...]:
    """Calls by true grade."""
    return _rows(
        (one, GRADES[one.true_grade]) for one in judged(results) if one.true_grade is not None
    )


def calls_by_group(results: Results) -> tuple[CallRow, ...]:
    """Calls by the groups of a data set's own, such as the kind of a deformity."""
    return _rows((one, one.truth.group) for one in judged(results) if one.truth.group)


def _rows(named: Iterator[tuple[Judged, str]]) -> tuple[CallRow, ...]:
    counts: dict[str, Counter[str]] = {}
    for one, name in named:
        counts.setdefault(name, Counter())[one.call] += 1
    order = {grade: place for place, grade in enumerate(GRADES)}
    names = sorted(counts, key=lambda name: (order.get(name, len(order)), name))
    return tuple(CallRow(name, {call: counts[name][call] for call in CALLS}) for name in names)


def false_calls(results: Results) -> tuple[FalseCalls, ...]:
    """False calls of each CT; versions of one patient are apart by thickness, not by phase."""
    parts: dict[str, list[CaseResult]] = {}
    for result in results:
        thickness = result.tags.get("averaged to")
        name = result.patient if thickness is None else f"{result.patient}, {thickness}"
        parts.setdefault(name, []).append(result)
    return tuple(_false_calls(name, part) for name, part in parts.items())


def _false_calls(name: str, results: Results) -> FalseCalls:
    bodies = list(judged(results))
    unseen = (*GRADES[:MODERATE], MISSED)
    return FalseCalls(
        name,
        len(bodies),
        sum(one.is_graded for one in bodies),
        _levels(one for one in bodies if one.is_fracture),
        _levels(one for one in bodies if one.is_false_fracture),
        _levels(one for one in bodies if one.is_false_mild),
        _levels(one for one in bodies if one.is_fracture and one.call in unseen),
        _levels(one for one in bodies if one.call == BORDERLINE),
    )


def _levels(bodies: Iterator[Judged]) -> str:
    """Levels, with how often where a CT comes in several versions."""
    counts = Counter(one.truth.level for one in bodies)
    return ", ".join(level if n == 1 else f"{level} ({n})" for level, n in counts.items())


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    return {name: round(v, 4) if math.isfinite(v) else None for name, v in row.items()}
