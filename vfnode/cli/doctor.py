"""``vfnode doctor``: looks at everything that a node stands on, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from vfnode.cli.columns import paragraph
from vfnode.cli.options import SettingsFile
from vfnode.cli.status import SIGNS
from vfnode.node.settings.settings import load_settings

if TYPE_CHECKING:
    from vfnode.node.operations.checks import Check

LABEL = 22


def doctor(settings: SettingsFile = None) -> None:
    """Look at settings, spool, database, port, fonts, certificate, clock, limits, destinations
    and models; say what to do about each.

    Nothing is changed and nothing is sent. Ends with 0 where all is well, 1 for a warning, 2
    where something does not work, 78 where a setting is wrong.
    """
    from vfnode.node.operations.checks import checks  # noqa: PLC0415 - needs the DICOM libraries

    loaded = load_settings(settings)
    print(paragraph(f"  {'settings':14}{SIGNS[0]}", str(settings or "the defaults"), LABEL))
    worst = 0
    for check in checks(loaded):
        print("\n".join(check_lines(check)), flush=True)
        worst = max(worst, check.level)
    raise typer.Exit(int(worst))


def check_lines(check: Check) -> Iterator[str]:
    """Lines of one check: what was seen, and below it what to do."""
    yield paragraph(f"  {check.name:14}{SIGNS[check.level]}", check.seen, LABEL)
    if check.remedy:
        yield paragraph("", f"-> {check.remedy}", LABEL)
