"""The version of the ledger's tables: a database of another version is refused, in words.

SCHEMA rises with every change of a table. The database says which version it has, so that
neither an older nor a newer one is read as what it is not.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, DateTime, Engine, Integer, String, Table, insert, inspect, select

from vfnode import __version__
from vfnode.errors import SettingsError
from vfnode.node.database_faults import place_of
from vfnode.node.moment import now_utc, utc
from vfnode.node.tables import jobs, metadata

SCHEMA = 2  #: version 1 had no number, and jobs without patient, sender and story

schema = Table(
    "vfnode_schema",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("vfnode", String(40), nullable=False),  # the release that made the tables
    Column("made_at", DateTime(timezone=True), nullable=False),
)


def make_tables(engine: Engine) -> None:
    """Make the tables in an empty database; leave one of this version as it is.

    Raises:
        SettingsError: the database has another version; nothing in it is changed.
    """
    require_schema(engine)
    metadata.create_all(engine)
    with engine.begin() as connection:
        if connection.scalar(select(schema.c.version)) is None:
            connection.execute(
                insert(schema).values(version=SCHEMA, vfnode=__version__, made_at=now_utc())
            )


def require_schema(engine: Engine) -> None:
    """Make sure that a database is empty or has the tables of this release.

    Raises:
        SettingsError: it has those of another one; says which, and what to do.
    """
    found = _version_of(engine)
    if found is None or found[0] == SCHEMA:
        return
    version, release = found
    age = "an older" if version < SCHEMA else "a newer"
    raise SettingsError(
        f"database.url: the database {place_of(str(engine.url))} was made by {age} release of "
        f"vfnode ({release}): its tables have version {version}, this release has {SCHEMA}. "
        "Let that release finish its jobs, then move the database away with its -wal and -shm "
        "files: the node begins a new one and asks every archive before it sends anything again"
    )


def made_at(engine: Engine) -> datetime:
    """Time of the tables; what is older in the spool belongs to a database that is lost."""
    with engine.connect() as connection:
        moment: datetime = connection.execute(select(schema.c.made_at)).scalar_one()
    return utc(moment)


def _version_of(engine: Engine) -> tuple[int, str] | None:
    """Version of the tables and the release that made them; None of an empty database."""
    tables = inspect(engine)
    if tables.has_table(schema.name):
        with engine.connect() as connection:
            row = connection.execute(select(schema.c.version, schema.c.vfnode)).first()
        return None if row is None else (row.version, row.vfnode)
    return (1, "before tables had a number") if tables.has_table(jobs.name) else None
