"""What a command prints, held against text files that people can read.

``VFNODE_SHOW=1 pytest tests/cli`` writes them anew; look at them before they are committed.
"""

import os
from pathlib import Path

from typer.testing import CliRunner, Result

from vfnode.cli import app, columns

EXPECTED = Path(__file__).parent / "expected"
WIDTH = 80


def assert_shown(name: str, text: str) -> None:
    """The text is that of the file, line by line, and fits the terminal."""
    path = EXPECTED / f"{name}.txt"
    if os.environ.get("VFNODE_SHOW"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def assert_fits(text: str) -> None:
    """No line is wider than the terminal."""
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


def on_terminal(monkeypatch, arguments: list[str], **environment: str) -> Result:
    """The command as a person at a terminal of 80 columns has it."""
    monkeypatch.setattr(columns, "is_terminal", lambda: True)
    return run(arguments, **environment)


def run(arguments: list[str], **environment: str) -> Result:
    """The command as a pipe has it."""
    return CliRunner(env={"COLUMNS": str(WIDTH), **environment}).invoke(
        app, arguments, prog_name="vfnode"
    )
