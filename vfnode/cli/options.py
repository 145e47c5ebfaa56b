"""Options and arguments that several commands share."""

from __future__ import annotations

import getpass
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

UNITS_S = {"min": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"(\d+) ?(min|h|d)")

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; `vfnode settings` prints one to start from."),
]
Since = Annotated[
    str,
    typer.Option(
        help="Received then or later, UTC: 2026-11-27, 2026-11-27T09:30, or 90min, 12h, 3d."
    ),
]
Jobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="JOB...",
        help="Any unique beginning of a job's identifier, or the UID of a study or series.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be done.")]
Reason = Annotated[str, typer.Option(help="Reason, for the log.")]
By = Annotated[str, typer.Option(help="Person, for the log; if absent, the system's user.")]


def moment_of(since: str, now: datetime | None = None) -> datetime | None:
    """The moment that ``--since`` means; None where it is not given.

    Raises:
        BadParameter: it is neither a date nor an age.
    """
    if not since:
        return None
    age = _AGE.fullmatch(since.strip())
    if age:
        back = timedelta(seconds=int(age.group(1)) * UNITS_S[age.group(2)])
        return (now or datetime.now(UTC)) - back
    try:
        moment = datetime.fromisoformat(since.strip())
    except ValueError:
        raise typer.BadParameter(
            f"--since {since}: neither a date nor an age; write 2026-11-27, 2026-11-27T09:30, "
            "90min, 12h or 3d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def operator(by: str) -> str:
    """Name of the person who acts: as given, or the one behind the user of the system."""
    return by or os.environ.get("SUDO_USER") or getpass.getuser()
