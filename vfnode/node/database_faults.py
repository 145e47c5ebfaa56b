"""Faults of a database that cannot be used, in words, with the way out.

A library's own message is quoted for SQLite alone: those of servers may hold a password.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from vfnode.errors import InstallationError, SettingsError, VfnodeError

DAMAGED = (
    "the database {place} is damaged ({fault}). Stop the node, put the latest backup in its "
    "place, or move it away with its -wal and -shm files: the node then begins a new one, takes "
    "up what stands in the spool, and asks every archive before it sends anything again"
)
OTHER_RELEASE = (
    "the database {place} was made by another release of vfnode ({fault}). Start it with that "
    "release, or move it away with its -wal and -shm files: the node then begins a new one and "
    "asks every archive before it sends anything again"
)
READ_ONLY = (
    "the database {place} cannot be written ({fault}). Check with `ls -l` and `mount` that the "
    "file, its folder and its disk are writable for the user of the node"
)
NO_FILE = (
    "the database {place} cannot be opened ({fault}). Check that its folder is there, is mounted "
    "and is readable for the user of the node"
)
LOCKED = "the database {place} is in use by another program ({fault})"
FULL = "the disk of the database {place} is full ({fault}). Make room"
AWAY = "the database server {place} does not answer. Check that it runs and can be reached"
NOT_LET_IN = (
    "database.url: {place} does not let the node in. Check user, password and name of the database"
)
WRONG_URL = (
    "database.url: the database cannot be opened ({fault}); write it as "
    "postgresql://USER:PASSWORD@HOST/NAME, or leave it empty for a file in the spool"
)


@dataclass(frozen=True)
class Fault:
    """One kind of trouble: how its message reads, and what is said and raised then."""

    signs: tuple[str, ...]  #: of which one stands in the library's message, in lower case
    words: str
    error: Callable[[str], VfnodeError] = InstallationError


SQLITE_FAULTS = (
    Fault(("no such table", "no such column", "no column named"), OTHER_RELEASE),
    Fault(("readonly",), READ_ONLY),
    Fault(("unable to open",), NO_FILE),
    Fault(("locked",), LOCKED),
    Fault(("full",), FULL),
    Fault(("",), DAMAGED),  # not a database, malformed, I/O error
)
SERVER_FAULTS = (
    Fault(("authentication failed", "does not exist"), NOT_LET_IN, SettingsError),
    Fault(("undefinedcolumn", "undefinedtable"), OTHER_RELEASE),
    Fault(("",), AWAY),
)


@contextmanager
def database_errors_named(url: str) -> Iterator[None]:
    """Say of a database that cannot be used what is wrong and what to do.

    Raises:
        SettingsError: the URL is at fault.
        InstallationError: the database is away, locked, full, damaged, of another
            release, or cannot be written.
    """
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        raise named(error, url) from None  # the cause may quote a password


def named(error: Exception, url: str) -> VfnodeError:
    """Meaning of a library's error about this database."""
    if isinstance(error, ArgumentError | NoSuchModuleError | ImportError):
        return SettingsError(WRONG_URL.format(fault=type(error).__name__))
    is_file = url.startswith("sqlite")
    told = str(getattr(error, "orig", "")) if is_file else ""
    fault = _fault_of(error)
    words = fault.words.format(place=place_of(url), fault=told or type(error).__name__)
    return fault.error(words)


def may_pass(error: Exception) -> bool:
    """True if waiting may help: the database is away, locked, full or read-only."""
    return _fault_of(error).words in {LOCKED, FULL, AWAY, READ_ONLY, NO_FILE}


def _fault_of(error: Exception) -> Fault:
    original = error.orig if isinstance(error, DBAPIError) else error
    searched = f"{type(original).__name__} {original}".lower()
    faults = SQLITE_FAULTS if isinstance(original, sqlite3.Error) else SERVER_FAULTS
    return next(fault for fault in faults if any(sign in searched for sign in fault.signs))


def place_of(url: str) -> str:
    """Place of a database: its file, or its server without user and password."""
    parsed = make_url(url)
    if parsed.host is None:
        return parsed.database or "in memory"
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.database} at {parsed.host}{port}"
