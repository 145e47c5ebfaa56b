"""``vfnode status`` and ``vfnode echo``: how the node and its destinations stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vfnode.cli.columns import counted, duration, minute, paragraph, second, shortened
from vfnode.cli.columns import terminal_width as width
from vfnode.cli.options import SettingsFile
from vfnode.errors import NoSpoolError, VfnodeError
from vfnode.node.operations.access import database_of, require_spool
from vfnode.node.settings.settings import Settings, load_settings

if TYPE_CHECKING:
    from vfnode.node.operations.echoing import Echo
    from vfnode.node.operations.status import Part, Status

LABEL = 14
SIGNS = ("ok", "WARN", "CRIT")
SHOWN = 5  #: of failures, senders and arriving series


def status(
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show how the node stands, on one screen.

    Ends with 0 where all is well, 1 for a warning, 2 where something does not work: as
    monitoring (Nagios, Icinga) wants it.
    """
    found = _look(load_settings(settings))
    print(json.dumps(asdict(found), default=_json) if as_json else "\n".join(status_lines(found)))
    raise typer.Exit(int(found.level))


def echo(
    name: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names in the settings.")],
    settings: SettingsFile = None,
) -> None:
    """Ask destinations whether they are there and would take results; nothing is sent.

    C-ECHO and presentation contexts, a DICOMweb search, or a folder that can be written. Ends
    with 1 where one does not answer.
    """
    from vfnode.node.operations import echoing  # noqa: PLC0415 - a list does without DICOM

    loaded = load_settings(settings)
    echoes = [echoing.echo(loaded, each) for each in name]
    for each in echoes:
        note = f"; {each.note}" if each.note else ""
        told = each.trouble or f"answers, {each.seconds:.1f} s{note}"
        print(paragraph(each.destination, told, LABEL))
    _keep(loaded, echoes)
    if any(each.trouble for each in echoes):
        raise typer.Exit(1)


def status_lines(found: Status) -> Iterator[str]:
    """One screen of text."""
    yield f"vfnode {minute(found.at)} UTC: {found.level.name}"
    yield from (_part(part) for part in found.parts)
    for reason, number in found.failures[:SHOWN]:
        yield shortened(f"{'':{LABEL}}{number} x {reason or 'no reason is known'}", width())
    if found.destinations:
        yield "destinations"
        yield from (_part(part) for part in found.destinations)
    if found.senders:
        yield "senders"
    for sender in found.senders[:SHOWN]:
        ago = duration((found.at - sender.last_at).total_seconds())
        of_the_day = counted(sender.studies_of_the_day, "study").replace("studys", "studies")
        yield paragraph(f"  {sender.sender or 'not known'}", f"{ago} ago, {of_the_day} in 24 h", 30)
    if found.arriving:
        yield "arriving"
    for series in found.arriving[:SHOWN]:
        words = f"{series.images} images from {series.sender or '?'}; waits for {series.waits_for}"
        yield paragraph(f"  {series.series_instance_uid}", words, LABEL)


def _part(part: Part) -> str:
    label = f"  {part.name}".ljust(LABEL) + SIGNS[part.level]
    return paragraph(label, part.words, LABEL + 6)


def _look(settings: Settings) -> Status:
    from vfnode.node.operations.status import status_of, status_without_database  # noqa: PLC0415

    now = datetime.now(UTC)
    require_spool(settings)
    try:
        with database_of(settings) as engine:
            return status_of(settings, engine, now)
    except NoSpoolError:
        raise
    except VfnodeError as error:
        return status_without_database(settings, str(error), now)


def _keep(settings: Settings, echoes: list[Echo]) -> None:
    """Let `vfnode status` know, where a node has run."""
    from vfnode.node.operations.echoing import Echoes  # noqa: PLC0415

    try:
        with database_of(settings) as engine:
            for each in echoes:
                Echoes(engine).note(each)
    except VfnodeError:
        return  # an echo needs no node, and no database


def _json(value: object) -> str:
    return second(value) if isinstance(value, datetime) else str(value)
