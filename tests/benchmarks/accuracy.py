"""Accuracy on the real CT with reference readings, as the README's table.

make accuracy
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.reference_cases import ABSENT, CASES, compare
from vfnode.cli.analyze import analyze

COLUMNS = (
    "| case | bodies | found | extra | named right | centre mm | heights mm (a/m/p) | ratio"
    " | curve mm |"
)


def row(figures: dict[str, Any]) -> str:
    """One line of the table."""
    if figures["found"] == 0:
        return (
            f"| {figures['case']} | {figures['wanted']} | 0 | {len(figures['extra'])} |" + " |" * 5
        )
    heights = "/".join(f"{value:.2f}" for value in figures["height_mae_mm"])
    return (
        f"| {figures['case']} | {figures['wanted']} | {figures['found']} "
        f"| {len(figures['extra'])} | {named_right(figures)} "
        f"| {figures['centre_mm']:.2f} | {heights} "
        f"| {figures['ratio_mae']:.3f} | {figures['curve_mm']:.2f} |"
    )


def named_right(figures: dict[str, Any]) -> int:
    """Found bodies whose level is the reader's."""
    share: float = figures["level_accuracy"]
    found: int = figures["found"]
    return round(share * found)


def total(rows: list[dict[str, Any]]) -> str:
    """All cases together: sums of bodies, means weighted by bodies."""
    matched = [figures for figures in rows if figures["found"]]
    found = np.array([figures["found"] for figures in matched], float)

    def mean(name: str) -> np.ndarray:
        return np.average([figures[name] for figures in matched], axis=0, weights=found)

    heights = "/".join(f"{value:.2f}" for value in mean("height_mae_mm"))
    wanted = sum(figures["wanted"] for figures in rows)
    extra = sum(len(figures["extra"]) for figures in rows)
    named = sum(map(named_right, matched))
    return (
        f"| **all** | {wanted} | {int(found.sum())} | {extra} | {named} | {mean('centre_mm'):.2f} "
        f"| {heights} | {mean('ratio_mae'):.3f} | {mean('curve_mm'):.2f} |"
    )


def main() -> None:
    """Analyse each case with the shipped weights and print the table."""
    if not all(case.present for case in CASES):
        sys.exit(ABSENT)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            out = Path(folder) / case.name
            analyze([case.images], out)
            rows.append(compare(json.loads((out / "result.json").read_text()), case.reading))
    print(COLUMNS, "|---|" + "--:|" * 8, *map(row, rows), total(rows), sep="\n")


if __name__ == "__main__":
    main()
