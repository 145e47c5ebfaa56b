"""Echoes of destinations: asked by a person, and by the node every few minutes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Engine, delete, insert, select

from vfnode.errors import VfnodeError
from vfnode.node.delivery.answers import error_of_unforeseen
from vfnode.node.delivery.deadline import raised_by
from vfnode.node.delivery.destinations import make_destination
from vfnode.node.moment import now_utc, utc
from vfnode.node.operations.holding import require_destination
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.node.tables import echoes

log = structlog.get_logger()


@dataclass(frozen=True)
class Echo:
    """One look whether a destination is there."""

    destination: str
    at: datetime
    trouble: str  #: why it cannot be used; empty where it answered
    answered_at: datetime | None = None  #: the last time that it did
    note: str = ""  #: what it would not take; not kept
    seconds: float = 0.0  #: that it took; not kept


def echo(settings: Settings, name: str) -> Echo:
    """Ask one destination.

    Raises:
        VfnodeError: there is no such destination.
    """
    require_destination(settings, name)
    section = next(each for each in settings.destinations if each.name == name)
    began_s, notes = time.monotonic(), [""]

    def ask() -> None:
        notes[0] = make_destination(section, settings).echo()

    raised = raised_by(ask)
    trouble = "" if raised is None else _words(raised, section)
    now = now_utc()
    return Echo(name, now, trouble, None if trouble else now, notes[0], time.monotonic() - began_s)


def _words(error: BaseException, section: DestinationSection) -> str:
    if isinstance(error, VfnodeError):
        return str(error)
    return str(error_of_unforeseen(error, section.name))


class Echoes:
    """The latest echo of each destination, in the database of a node."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, echo: Echo) -> None:
        """Keep an echo in place of the one before it."""
        before = self.latest().get(echo.destination)
        answered_at = echo.answered_at or (before.answered_at if before else None)
        with self._engine.begin() as connection:
            connection.execute(delete(echoes).where(echoes.c.destination == echo.destination))
            connection.execute(
                insert(echoes).values(
                    destination=echo.destination,
                    at=echo.at,
                    trouble=echo.trouble,
                    answered_at=answered_at,
                )
            )
        if before is not None and bool(before.trouble) != bool(echo.trouble):
            tell = log.warning if echo.trouble else log.info
            tell("destination", destination=echo.destination, trouble=echo.trouble or "none")

    def latest(self) -> dict[str, Echo]:
        """The latest echo of each destination."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(echoes)).all()
        return {
            row.destination: Echo(
                row.destination,
                utc(row.at),
                row.trouble,
                utc(row.answered_at) if row.answered_at else None,
            )
            for row in rows
        }

    def refresh(self, settings: Settings) -> None:
        """Ask every destination of the settings once, all at a time: a dead one takes long."""
        names = [section.name for section in settings.destinations]
        if not names:
            return
        with ThreadPoolExecutor(len(names)) as pool:
            for found in pool.map(lambda name: echo(settings, name), names):
                self.note(found)
