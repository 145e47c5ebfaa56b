"""The evaluation as one HTML page that needs nothing beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from vfnode.evaluation.figures import DRAWS, SUBGROUP_ROWS, Figure, Row
from vfnode.evaluation.judged import CALLS
from vfnode.evaluation.judgement import CallRow, FalseCalls, JudgementTables
from vfnode.evaluation.probability import ThresholdRow
from vfnode.evaluation.summary import DatasetSummary, Subgroup

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2733; margin: 2rem auto;
       max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem;
     border-top: 2px solid #1f5fa8; padding-top: .7rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
table.figures { table-layout: fixed; } .figures th:first-child { width: 40%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
td, th { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e3e8ee; }
td:first-child, th:first-child { text-align: left; }
th { font-weight: 600; color: #4a5a6a; }
.note { background: #f4f7fb; padding: .6rem .9rem; border-left: 4px solid #1f5fa8; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .5rem; }
.plots svg { width: 100%; height: auto; }
.small { color: #5b6a79; font-size: .85rem; }
"""
ABOUT = (
    "Research use only, not for diagnosis. A surplus body counts against precision; a missed one"
    " counts as found normal wherever bodies are ranked. A body that was found but withheld from"
    " grading (uncertain keypoints, metal, cut) counts as found for recall, has a share of its own,"
    " and counts as found normal wherever bodies are ranked, but by its measured ratio in the rows"
    " 'as measured'."
    " Errors of heights and G are those of the graded bodies. Bodies whose truth the border cuts"
    " count neither way. In brackets: 95 % intervals, {draws} bootstrap draws over patients; none"
    " for fewer than three patients. Paper: Zakharov, Pisov et al., Medical Image Analysis 83"
    " (2023), on its own data: other patients, other annotation. A dash: the data set cannot tell."
)


def page(summaries: Sequence[DatasetSummary], described: Sequence[str]) -> str:
    """The whole page.

    Args:
        summaries: of each data set, in the order of the page.
        described: lines about what was evaluated: program, models, command.
    """
    lines = "<br>".join(escape(line) for line in described)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>vfnode: evaluation</title><style>{STYLE}</style></head><body>",
        f"<h1>vfnode: evaluation</h1><p class='small'>{lines}</p>",
        f"<p class='small'>{escape(ABOUT.format(draws=DRAWS))}</p>",
        *(_dataset(summary) for summary in summaries),
        "</body></html>",
    ]
    return "\n".join(parts)


def _dataset(summary: DatasetSummary) -> str:
    counts = f"{summary.cases} cases, {summary.patients} patients, {summary.bodies} whole bodies"
    tables = "".join(
        f"<h3>{escape(title)}</h3>{_table(rows)}" for title, rows in summary.tables if _any(rows)
    )
    plots = "".join(f"<div>{svg}</div>" for svg in summary.plots.values())
    return (
        f"<h2>{escape(summary.name)}</h2><p class='note'>{escape(summary.note)}</p>"
        f"<p>{counts}</p>{tables}{_judgement(summary.judgement)}{_subgroups(summary.subgroups)}"
        f"<h3>Plots</h3><div class='plots'>{plots}</div>{_cases(summary)}"
    )


def _any(rows: Sequence[tuple[Row, Figure]]) -> bool:
    return any(math.isfinite(figure.value) for _, figure in rows)


def _table(rows: Sequence[tuple[Row, Figure]]) -> str:
    folds = any(math.isfinite(figure.fold_mean) for _, figure in rows)
    cells = [
        (
            row.name,
            _number(figure.value),
            _interval(figure),
            *((_over_folds(figure),) if folds else ()),
            row.paper or "-",
            row.goal or "-",
        )
        for row, figure in rows
    ]
    over_folds = ("mean ± sd over folds",) if folds else ()
    head = ("", "ours", "95 % interval", *over_folds, "paper", "goal")
    return _html_table(head, cells).replace("<table>", "<table class='figures'>", 1)


def _judgement(tables: JudgementTables) -> str:
    calls = [
        f"<h3>{escape(title)}</h3>{_html_table(('', 'bodies', *CALLS), _call_cells(rows))}"
        for title, rows in (
            ("Calls by true grade", tables.confusion),
            ("Calls by group", tables.groups),
        )
        if rows
    ]
    return "".join(calls) + _false_calls(tables.false_calls) + _thresholds(tables.thresholds)


def _call_cells(rows: Sequence[CallRow]) -> list[tuple[str, ...]]:
    return [(row.name, str(row.bodies), *(str(row.counts[call]) for call in CALLS)) for row in rows]


def _false_calls(rows: Sequence[FalseCalls]) -> str:
    head = (
        *("", "bodies", "graded", "true moderate or severe", "not called so"),
        *("false moderate or severe", "false mild", "borderline"),
    )
    cells = [
        (
            *(row.name, str(row.bodies), str(row.graded), row.true_fractures or "none"),
            *(row.unseen or "-", row.false_fractures or "-", row.false_mild or "-"),
            row.borderline or "-",
        )
        for row in rows
    ]
    return f"<h3>False calls of each CT</h3>{_html_table(head, cells)}" if rows else ""


def _thresholds(rows: Sequence[ThresholdRow]) -> str:
    head = ("P(moderate or worse) at least", "of the true ones", "of the others")
    cells = [(f"{row.threshold:g}", _number(row.found), _number(row.false)) for row in rows]
    return f"<h3>Thresholds of P</h3>{_html_table(head, cells)}" if rows else ""


def _subgroups(groups: Sequence[Subgroup]) -> str:
    if not groups:
        return ""
    head = ("", "cases", "bodies", *(row.name for row in SUBGROUP_ROWS))
    cells = [
        (group.name, str(group.cases), str(group.bodies), *(_number(v) for v in group.values))
        for group in groups
    ]
    return f"<h3>Subgroups</h3>{_html_table(head, cells)}"


def _cases(summary: DatasetSummary) -> str:
    cells = [
        (
            result.name,
            str(len(result.pairs)),
            ", ".join(body.level for body in result.missed) or "-",
            str(len(result.extra)),
            _number(result.curve_mm),
            _number(result.limits_mm),
        )
        for result in summary.results
    ]
    head = ("case", "found", "missed", "surplus", "curve, mm", "limits, mm")
    return f"<details><summary>All cases</summary>{_html_table(head, cells)}</details>"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value, 3) + 0.0:.3f}" if math.isfinite(value) else "-"


def _over_folds(figure: Figure) -> str:
    if not math.isfinite(figure.fold_mean):
        return "-"
    return f"{figure.fold_mean:.3f} ± {figure.fold_sd:.3f}"


def _interval(figure: Figure) -> str:
    if not math.isfinite(figure.low):
        return "-"
    return f"[{figure.low:.3f}, {figure.high:.3f}]"
