"""The tables of the ledger, and the engine they are reached by.

They live in the database that the workflows are recorded in, SQLite or PostgreSQL, so
that one backup holds both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from vfnode.errors import SettingsError

BUSY_TIMEOUT_MS = 30_000  #: as long as DBOS waits for the same file

metadata = MetaData()

jobs = Table(
    "vfnode_jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("series_instance_uid", String(64), nullable=False, index=True),
    Column("instances", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("reason_code", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("run", Integer, nullable=False, default=1),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

deliveries = Table(
    "vfnode_deliveries",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
)

receipts = Table(
    "vfnode_receipts",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("job_id", String(64), nullable=False, index=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
)


@contextmanager
def database_errors_named() -> Iterator[None]:
    """Say of a database that cannot be opened which setting leads to it.

    Raises:
        SettingsError: in place of what the library raises.
    """
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:  # no message: it may quote a password
        raise SettingsError(
            f"database.url: the database cannot be opened ({type(error).__name__}); "
            "check the URL, and that its server answers"
        ) from error


def open_database(url: str) -> Engine:
    """The engine of a database; SQLite is set to what several processes can share."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    # Write-ahead: `vfnode jobs` reads while the node writes. It stays set in the file, so
    # the connections of DBOS have it as well.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a receipt must outlive a power cut
    cursor.close()
