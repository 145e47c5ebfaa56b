"""All figures of one data set, and their JSON form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vfnode.evaluation.figures import (
    SUBGROUP_ROWS,
    TABLES,
    Figure,
    Row,
    figure_of,
    subgroups,
)
from vfnode.evaluation.judged import Judged
from vfnode.evaluation.judgement import JudgementTables, judgement_tables
from vfnode.evaluation.plots import plots_of
from vfnode.evaluation.ranking import Results
from vfnode.evaluation.results import CaseResult


@dataclass(frozen=True)
class Subgroup:
    """The figures of a part of a data set."""

    name: str
    cases: int
    bodies: int
    values: tuple[float, ...]  #: of SUBGROUP_ROWS


@dataclass(frozen=True)
class DatasetSummary:
    """One data set as the page shows it."""

    name: str  #: KIND:SOURCE
    note: str
    cases: int
    patients: int
    bodies: int
    tables: tuple[tuple[str, tuple[tuple[Row, Figure], ...]], ...]
    subgroups: tuple[Subgroup, ...]
    plots: dict[str, str]  #: name -> SVG
    judgement: JudgementTables
    results: tuple[CaseResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures without the plots; NaN becomes null."""
        return {
            "dataset": self.name,
            "note": self.note,
            "cases": self.cases,
            "patients": self.patients,
            "bodies": self.bodies,
            "tables": {
                title: {row.name: _figure(row, figure) for row, figure in rows}
                for title, rows in self.tables
            },
            "subgroups": {group.name: _subgroup(group) for group in self.subgroups},
            "judgement": self.judgement.to_dict(),
            "per_case": [_case(result) for result in self.results],
        }


def summarize(name: str, note: str, results: tuple[CaseResult, ...], seed: int) -> DatasetSummary:
    """Every table, subgroup and plot of the results of one data set."""
    return DatasetSummary(
        name,
        note,
        len(results),
        len({result.patient for result in results}),
        _bodies(results),
        tuple(
            (table.title, tuple((row, figure_of(results, row.metric, seed)) for row in table.rows))
            for table in TABLES
        ),
        tuple(
            Subgroup(
                group,
                sum(bool(r.pairs or r.missed) for r in chosen),
                _bodies(chosen),
                tuple(row.metric(chosen) for row in SUBGROUP_ROWS),
            )
            for group, chosen in subgroups(results).items()
        ),
        plots_of(results),
        judgement_tables(results),
        results,
    )


def _bodies(results: Results) -> int:
    """True whole bodies."""
    return sum(len(result.pairs) + len(result.missed) for result in results)


def _figure(row: Row, figure: Figure) -> dict[str, Any]:
    return {
        "value": _number(figure.value),
        "low": _number(figure.low),
        "high": _number(figure.high),
        "fold_mean": _number(figure.fold_mean),
        "fold_sd": _number(figure.fold_sd),
        "paper": row.paper or None,
        "goal": row.goal or None,
    }


def _subgroup(group: Subgroup) -> dict[str, Any]:
    named = {row.name: _number(v) for row, v in zip(SUBGROUP_ROWS, group.values, strict=True)}
    return {"cases": group.cases, "bodies": group.bodies, **named}


def _case(result: CaseResult) -> dict[str, Any]:
    return {
        "case": result.name,
        "fold": result.fold or None,
        "found": len(result.pairs),
        "missed": [body.level for body in result.missed],
        "surplus": len(result.extra),
        "curve_mm": _number(result.curve_mm),
        "tags": result.tags,
        "bodies": [_body(one) for one in result.judged if one.found is not None],
    }


def _body(one: Judged) -> dict[str, Any]:
    assert one.found is not None
    return {
        "level": one.truth.level,
        "group": one.truth.group,
        "true_ratio": _number(one.truth.ratio),
        "found_ratio": _number(one.found.ratio),
        "withheld": one.found.withheld,
        "call": one.call,
        "probability_moderate": _number(one.found.judgement.probability),
        "uncertainty_mm": [_number(value) for value in one.found.uncertainty_mm],
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
