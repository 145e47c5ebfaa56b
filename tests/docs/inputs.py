"""Prints the table of docs/inputs.md from the tests' own list: ``python -m tests.docs.inputs``."""

from __future__ import annotations

import re
from pathlib import Path

from tests.inputs import INPUTS, Input

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
HEAD = "| input | what is done | coded reason |\n|---|---|---|\n"


def row(given: Input) -> str:
    """One line of the table."""
    reasons = [*given.notes, *([given.refused] if given.refused else [])]
    codes = ", ".join(f"`{reason.code}`" for reason in reasons)
    return f"| {given.what} | {given.done} | {codes} |".replace("\\", "\\\\")


def with_table(text: str) -> str:
    """The page with its table made anew."""
    table = HEAD + "\n".join(map(row, INPUTS)) + "\n"
    return re.sub(
        r"(<!-- table: inputs -->\n).*?(<!-- end -->)",
        lambda match: match[1] + table + match[2],
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
