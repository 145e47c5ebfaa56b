"""The state of a node in a screen: what an operator, and monitoring, look at first."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import Engine, func, select

from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.moment import utc
from vfnode.node.operations.echoing import Echoes
from vfnode.node.readiness import read_readiness
from vfnode.node.receiving.notice import Arriving, read_notice
from vfnode.node.settings.settings import Settings
from vfnode.node.spool_lock import is_held
from vfnode.node.tables import deliveries, jobs, receipts

DAY = timedelta(hours=24)
OLD_QUEUE = timedelta(hours=1)  #: beyond it nobody waits for a result any more
SHORT_H, VERY_SHORT_H = 48.0, 4.0  #: of room on the disk
MEGABYTE = 1_000_000
CONNECT_S = 3.0  #: to the own port
NOT_OVER = ("WAITING", "RUNNING")


class Level(IntEnum):
    """Severity as monitoring counts it; also the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Part:
    """One part of a node in a line."""

    name: str
    level: Level
    words: str


@dataclass(frozen=True)
class Sender:
    """The last study of one sender."""

    sender: str
    last_at: datetime
    studies_of_the_day: int


@dataclass(frozen=True)
class Status:
    """The state of a node at one moment."""

    at: datetime
    parts: tuple[Part, ...]
    destinations: tuple[Part, ...]
    senders: tuple[Sender, ...]
    arriving: tuple[Arriving, ...]
    failures: tuple[tuple[str, int], ...]  #: of the last 24 hours: reason, how many

    @property
    def level(self) -> Level:
        """The worst of all parts."""
        return max((part.level for part in (*self.parts, *self.destinations)), default=Level.OK)


def status_without_database(settings: Settings, trouble: str, now: datetime) -> Status:
    """The parts that can be told while the database cannot be read."""
    database = Part("database", Level.CRITICAL, trouble)
    return Status(now, (_receiver(settings), _child(settings), database), (), (), (), ())


def status_of(settings: Settings, engine: Engine, now: datetime) -> Status:
    """Look at everything once; nothing is changed, and nobody is called but the own port."""
    failures = _failures(engine, now)
    notice = read_notice(settings)
    parts = (
        _receiver(settings),
        _child(settings),
        _queue(engine, now),
        _disk(settings, engine, now),
        _failed(failures),
    )
    return Status(
        at=now,
        parts=parts,
        destinations=_destinations(settings, engine, now),
        senders=_senders(engine, now),
        arriving=notice.arriving if notice and is_held(settings.node.spool) else (),
        failures=failures,
    )


def _receiver(settings: Settings) -> Part:
    node = settings.node
    where = f"{node.ae_title} at {node.host}:{node.port}"
    if not is_held(node.spool):
        words = f"{where}: no node runs on this spool; `systemctl status vfnode` says why"
        return Part("receiver", Level.CRITICAL, words)
    host = "127.0.0.1" if node.host in {"0.0.0.0", "::"} else node.host
    if not _listens(host, node.port):
        return Part("receiver", Level.CRITICAL, f"{where}: the node runs and its port is closed")
    if not inbox_folder(settings).is_dir():
        words = f"{where}: the inbox is gone, senders are answered 0xA700; restart the node"
        return Part("receiver", Level.CRITICAL, words)
    return Part("receiver", Level.OK, f"{where} listens")


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_S):
            return True
    except OSError:
        return False


def _child(settings: Settings) -> Part:
    told = read_readiness(settings.node.spool)
    if told is None or not is_held(settings.node.spool):
        return Part("compute", Level.CRITICAL, "does not run")
    if told.trouble:
        words = f"NOT READY since {told.since:%Y-%m-%d %H:%M}: {told.trouble}"
        return Part("compute", Level.CRITICAL, words)
    return Part("compute", Level.OK, "ready")


def _queue(engine: Engine, now: datetime) -> Part:
    columns = (jobs.c.stage == "deliver", func.count(), func.min(jobs.c.created_at))
    query = select(*columns).where(jobs.c.state.in_(NOT_OVER)).group_by(columns[0])
    with engine.connect() as connection:
        found = {bool(row[0]): (row[1], utc(row[2])) for row in connection.execute(query)}
    words, level = [], Level.OK
    for delivering, name in ((False, "to analyse"), (True, "to deliver")):
        count, oldest = found.get(delivering, (0, now))
        words.append(f"{count} {name}" + (f", oldest {age(now - oldest)}" if count else ""))
        if count and now - oldest > OLD_QUEUE:
            level = Level.WARNING
    return Part("queue", level, "; ".join(words))


def _disk(settings: Settings, engine: Engine, now: datetime) -> Part:
    free = shutil.disk_usage(settings.node.spool).free
    room = free - settings.receiving.reserve_mb * MEGABYTE
    query = select(func.sum(jobs.c.image_bytes)).where(jobs.c.created_at >= now - DAY)
    with engine.connect() as connection:
        of_the_day = connection.scalar(query) or 0
    words = f"{free / 1e9:.1f} GB free"
    if room <= 0:
        return Part("disk", Level.CRITICAL, f"{words}: below the reserve, images are refused")
    if not of_the_day:
        return Part("disk", Level.OK, f"{words}, nothing came in 24 h")
    hours = room / (of_the_day / 24)
    level = Level.WARNING if hours < SHORT_H else Level.OK
    level = Level.CRITICAL if hours < VERY_SHORT_H else level
    rate = f"{of_the_day / 1e9:.1f} GB a day"
    return Part("disk", level, f"{words}, {age(timedelta(hours=hours))} at {rate}")


def _failed(failures: tuple[tuple[str, int], ...]) -> Part:
    count = sum(number for _, number in failures)
    level = Level.WARNING if count else Level.OK
    return Part("failures", level, f"need a person: {count}" if count else "none in 24 h")


def _failures(engine: Engine, now: datetime) -> tuple[tuple[str, int], ...]:
    why = jobs.c.reason
    query = (
        select(why, func.count())
        .where(jobs.c.state == "FAILED", jobs.c.updated_at >= now - DAY)
        .group_by(why)
        .order_by(func.count().desc(), why)
    )
    with engine.connect() as connection:
        return tuple((row[0], row[1]) for row in connection.execute(query))


def _destinations(settings: Settings, engine: Engine, now: datetime) -> tuple[Part, ...]:
    held, latest = Holds(engine).held(), Echoes(engine).latest()
    successes = select(receipts.c.destination, func.max(receipts.c.stored_at)).group_by(
        receipts.c.destination
    )
    waits = (
        select(deliveries.c.destination, func.count())
        .where(deliveries.c.state.in_(NOT_OVER))
        .group_by(deliveries.c.destination)
    )
    with engine.connect() as connection:
        stored = {row[0]: utc(row[1]) for row in connection.execute(successes)}
        waiting = {row[0]: row[1] for row in connection.execute(waits)}
    found = []
    for section in settings.destinations:
        name, words, level = section.name, [], Level.OK
        echo = latest.get(name)
        if name in held:
            words, level = [str(held[name])], Level.WARNING
        elif echo is not None and echo.trouble:
            words, level = [echo.trouble], Level.WARNING
        last = stored.get(name)
        words.append(f"last success {age(now - last)} ago" if last else "nothing stored yet")
        words.append(f"echo {age(now - echo.at)} ago" if echo else "no echo yet")
        if waiting.get(name):
            words.append(f"{waiting[name]} wait")
        found.append(Part(name, level, "; ".join(words)))
    return tuple(found)


def _senders(engine: Engine, now: datetime) -> tuple[Sender, ...]:
    last = select(jobs.c.sender, func.max(jobs.c.created_at)).group_by(jobs.c.sender)
    of_the_day = (
        select(jobs.c.sender, func.count(jobs.c.study_instance_uid.distinct()))
        .where(jobs.c.created_at >= now - DAY)
        .group_by(jobs.c.sender)
    )
    with engine.connect() as connection:
        counts = {row[0]: row[1] for row in connection.execute(of_the_day)}
        found = [Sender(r[0], utc(r[1]), counts.get(r[0], 0)) for r in connection.execute(last)]
    return tuple(sorted(found, key=lambda sender: sender.last_at, reverse=True))


def age(span: timedelta) -> str:
    """A time span in the largest unit that leaves more than one: 45 s, 12 min, 3 h, 5 d."""
    seconds = max(span.total_seconds(), 0.0)
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
