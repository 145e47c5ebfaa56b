"""The reference of the command line (docs/cli.md), as the program itself prints it.

``make cli-docs`` writes it; tests/cli/test_cli_docs.py holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from vfnode.cli import app

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"
SECTION = re.compile(r"(<!-- cli-help[^\n]*-->\n).*", re.DOTALL)


def commands_of(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A command and all that stand below it, each by its names."""
    yield names
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_of(below, (*names, name))


COMMANDS = tuple(commands_of(get_command(app)))


def help_of(command: tuple[str, ...]) -> str:
    """What ``vfnode COMMAND --help`` prints on a terminal of 80 columns."""
    result = CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(
        app, [*command, "--help"], prog_name="vfnode"
    )
    assert result.exit_code == 0, result.output
    return result.output.strip()


def section() -> str:
    """The help of the program and of every command, as one block of code each."""
    blocks = [f"```\n$ {' '.join(('vfnode', *c, '--help'))}\n{help_of(c)}\n```\n" for c in COMMANDS]
    return "\n".join(["", *blocks])


def with_section(text: str) -> str:
    """The page with the section of today's program."""
    return SECTION.sub(lambda match: match.group(1) + section(), text)


if __name__ == "__main__":
    REFERENCE.write_text(with_section(REFERENCE.read_text()))
