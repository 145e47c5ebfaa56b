"""Plain text for a terminal of 80 columns, and for pipes: no library that guesses a width."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LEAST_WIDTH = 40


@dataclass(frozen=True)
class Column:
    """One column of a listing."""

    title: str
    width: int
    is_number: bool = False  #: aligned to the right

    def cell(self, text: str) -> str:
        """The text, cut to the width of the column."""
        shown = shortened(text, self.width)
        return shown.rjust(self.width) if self.is_number else shown.ljust(self.width)


def row_of(columns: Sequence[Column], cells: Iterable[str]) -> str:
    """One line; two spaces stand between columns, none at its end."""
    pairs = zip(columns, cells, strict=True)
    return "  ".join(column.cell(text) for column, text in pairs).rstrip()


def heading_of(columns: Sequence[Column]) -> str:
    """The line above a listing."""
    return row_of(columns, [column.title for column in columns])


def tab_separated(cells: Iterable[str]) -> str:
    """One line for a pipe: whole values, no tab or line break inside one."""
    return "\t".join(" ".join(cell.split()) for cell in cells)


def shortened(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def ending(text: str, width: int) -> str:
    """The text, or an ellipsis and its end: UIDs of one study begin alike."""
    return text if len(text) <= width else f"…{text[-(width - 1) :]}"


def paragraph(label: str, text: str, label_width: int = 12) -> str:
    """A label and a text beside it, wrapped to the terminal."""
    hanging = " " * label_width
    lines = textwrap.wrap(
        text,
        terminal_width(),
        initial_indent=label.ljust(label_width),
        subsequent_indent=hanging,
        break_on_hyphens=False,
    )
    return "\n".join(lines) or label


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(shutil.get_terminal_size((80, 24)).columns, LEAST_WIDTH)


def is_terminal() -> bool:
    """True if a person reads standard output."""
    return sys.stdout.isatty()


def minute(moment: datetime | None) -> str:
    """A moment in UTC to the minute, as in 2026-11-27 09:58; - for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def second(moment: datetime | None) -> str:
    """A moment in UTC to the second, for pipes: 2026-11-27T09:58:01Z; - for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else "-"


def duration(seconds: float) -> str:
    """A time span in the largest unit that leaves a number above one: 45 s, 12 min, 3 h, 5 d."""
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural where it is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
