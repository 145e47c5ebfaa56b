"""``vfnode check``: the semantic checker on files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    files: Annotated[
        list[Path],
        typer.Argument(help="Result objects of one study, and CT slices to compare them with."),
    ],
) -> None:
    """Check reports and pictures for errors that no DICOM validator sees.

    Prints one finding a line and ends with 1; ends with 0 if there is none. The same check
    runs on every object before it is sent.
    """
    # Imported here: `vfnode --help` does without pydicom.
    from vfnode.dicom.checks.rules import check_files  # noqa: PLC0415

    found = check_files(files)
    for violation in found:
        print(violation)
    if found:
        raise typer.Exit(1)
    print(f"{len(files)} files, no findings")
