"""Logging: one JSON object a line on standard error, with UIDs and never with names."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

#: Libraries whose own lines are kept from this level on; below it they are of no use to a
#: person who runs a node, or may quote what a message says.
LIBRARY_LEVELS = {
    "dbos": logging.WARNING,
    "dicomweb_client": logging.ERROR,
    "pynetdicom": logging.ERROR,
    "pydicom": logging.ERROR,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.ERROR,
}


def configure_logs(level: str) -> None:
    """Send structlog and the standard library's logging to the same JSON lines.

    Args:
        level: debug, info, warning or error.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name, library_level in LIBRARY_LEVELS.items():
        library = logging.getLogger(name)
        library.setLevel(library_level)
        library.handlers.clear()  # DBOS and pynetdicom bring handlers of their own
        library.propagate = True
