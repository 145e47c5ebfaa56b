"""The database of a node: how it is opened, and how it is asked again when it is away.

Workflows and ledger (:mod:`vfnode.node.tables`) live in one, SQLite or PostgreSQL, so that
one backup holds both.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from sqlalchemy import Engine, create_engine, delete, event, false, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from vfnode.node.database_faults import may_pass
from vfnode.node.tables import holds, metadata

BUSY_TIMEOUT_MS = 5_000  #: that SQLite waits for a lock before it says that there is one
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0  #: before a database is asked again
PATIENCE_S = 600.0  #: with a database that is locked, full or away; a backup takes so long

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

log = structlog.get_logger()


def patient(entry: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Ask a database again that is locked, full or away: no study is to fail for that.

    DBOS does the same with its own tables. For entries that may be made twice.
    """

    @functools.wraps(entry)
    def patiently(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        deadline_s, pause_s = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S
        while True:
            try:
                return entry(*arguments, **named)
            except OperationalError as error:
                if time.monotonic() > deadline_s or not may_pass(error):
                    raise
                log.warning("database not ready", reason=str(error.orig), again_in_s=pause_s)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    return patiently


def open_database(url: str) -> Engine:
    """The engine of a database; SQLite is set to what several processes can share."""
    engine = create_engine(url, hide_parameters=True)  # an error must not quote what is stored
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def check(engine: Engine) -> None:
    """Look whether a database is whole and has every column: better now than at a study.

    Raises:
        SQLAlchemyError: it is damaged, made by another release, or cannot be written.
    """
    require_writable(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = connection.scalar(text("PRAGMA quick_check(1)"))
            if found != "ok":
                raise DatabaseError("quick_check", None, sqlite3.DatabaseError(found))
        for table in metadata.sorted_tables:
            connection.execute(select(table).limit(0))


def require_writable(engine: Engine) -> None:
    """Make sure that a database can be written now.

    Raises:
        SQLAlchemyError: it is read-only, or somebody else keeps it locked.
    """
    with engine.begin() as connection:  # BEGIN IMMEDIATE only reads where a file is read-only
        connection.execute(delete(holds).where(false()))


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    # Write-ahead: `vfnode jobs` reads while the node writes. It stays set in the file, so
    # the connections of DBOS have it as well.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a receipt must outlive a power cut
    cursor.close()
