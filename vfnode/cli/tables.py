"""Tables and lines that the terminal shows of a result."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from vfnode.spine.vertebra import COLUMNS

GRADE_STYLE = {"normal": "cyan", "mild": "yellow", "moderate": "bold yellow", "severe": "bold red"}


def vertebra_name(vertebra: dict[str, Any], ordinal: int) -> str:
    """Level, or the ordinal from the top where levels are not named."""
    level = str(vertebra["level"])
    return f"#{ordinal}" if level == "unknown" else level


def grade_shown(vertebra: dict[str, Any]) -> str:
    """The grade of a body, unless it was withheld."""
    if vertebra["grade"] is None:
        return "not graded"
    return "borderline" if vertebra["borderline"] else str(vertebra["grade"])


def style_of(vertebra: dict[str, Any]) -> str:
    """Terminal style of a body's row."""
    return "dim" if vertebra["grade"] is None else GRADE_STYLE[vertebra["grade"]]


def vertebrae_table(result: dict[str, Any]) -> Table:
    """One row per vertebra of a result.json; a body that is not graded says why."""
    table = Table(title="heights in mm", title_justify="left", title_style="dim")
    for heading in ("body", *COLUMNS, "ratio", "grade", "type"):
        table.add_column(heading, justify="left" if heading in ("body", "type") else "right")
    for ordinal, vertebra in enumerate(result["vertebrae"], 1):
        heights = [_number(vertebra["heights_mm"][name], 1) for name in COLUMNS]
        withheld = vertebra["not_evaluable"]
        table.add_row(
            vertebra_name(vertebra, ordinal),
            *heights,
            _number(vertebra["height_ratio"], 2),
            grade_shown(vertebra),
            vertebra["deformity"] if withheld is None else withheld["code"],
            style=style_of(vertebra),
        )
    return table


def _number(value: float | None, decimals: int) -> str:
    """A number, or a dash where nothing was seen that could be measured."""
    return "-" if value is None else f"{value:.{decimals}f}"


def patient_line(result: dict[str, Any]) -> str:
    """One sentence for the patient; never 'no fracture'."""
    if result["status"] == "not_evaluable":
        return f"Not evaluable: {result['reason']['meaning'].lower()}."
    patient = result["patient"]
    if patient["grade"] is None:
        return "No body could be graded."
    return (
        f"Patient: {patient['grade']}, smallest ratio {patient['min_height_ratio']:.2f} among "
        f"{patient['vertebrae_evaluated']} graded bodies. Research use only."
    )
