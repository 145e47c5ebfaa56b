"""The database of a node that has run, as an operator reaches it: nothing is made by looking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, make_url

from vfnode.errors import NoSpoolError
from vfnode.node.database import open_database, require_writable
from vfnode.node.database_faults import database_errors_named
from vfnode.node.schema import require_schema
from vfnode.node.settings.settings import Settings


@contextmanager
def database_of(settings: Settings) -> Iterator[Engine]:
    """The database of a node, running or not.

    Raises:
        NoSpoolError: no node has run with these settings.
        SettingsError, InstallationError: the database cannot be used.
    """
    require_spool(settings)
    with database_errors_named(settings.database_url):
        engine = open_database(settings.database_url)
        try:
            require_schema(engine)
            yield engine
        finally:
            engine.dispose()


@contextmanager
def writable_database_of(settings: Settings) -> Iterator[Engine]:
    """Database of a node that can be written now; see :func:`database_of`."""
    with database_of(settings) as engine:
        require_writable(engine)
        yield engine


def require_spool(settings: Settings) -> None:
    """Make sure that there is something to look at.

    Raises:
        NoSpoolError: there is no spool, or no database in it.
    """
    spool = settings.node.spool.absolute()
    if not spool.is_dir():
        raise NoSpoolError(
            f"there is no spool {spool}. Name the node's settings with --settings FILE, or its "
            "spool with VFNODE_NODE__SPOOL=FOLDER; a new node makes it at `vfnode serve`"
        )
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise NoSpoolError(
            f"the spool {spool} holds no database {url.database}. `vfnode serve` makes one; where "
            "one was lost, the node asks every archive before it sends anything again"
        )
