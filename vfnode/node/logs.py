"""Logging: one JSON object a line on standard error, with UIDs and never with names.

All of it: libraries, warnings, tracebacks and what the compute child prints. The message of an
exception that is not ours may quote a header, so that only its kind and its place are kept.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from vfnode.errors import VfnodeError
from vfnode.node.log_repeats import Repeats

LogFormat = Literal["json", "console"]

#: Libraries whose own lines are kept from this level on; below it they are of no use to a
#: person who runs a node, or may quote what a message says.
LIBRARY_LEVELS = {
    "dbos": logging.WARNING,
    "pynetdicom": logging.ERROR,
    "pydicom": logging.ERROR,
    "sqlalchemy": logging.WARNING,
}
#: Libraries that read patients' data: of their lines only the place is kept.
READ_PATIENTS = ("pydicom", "highdicom", "PIL", "nibabel")

log = structlog.get_logger()


def configure_logs(level: str, log_format: LogFormat = "json") -> None:
    """Send structlog, the standard library's logging, warnings and tracebacks to one place.

    Args:
        level: debug, info, warning or error.
        log_format: json for programs; console, in colours, for people.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_patients,
        _with_places,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, library_level in LIBRARY_LEVELS.items():
        library = logging.getLogger(name)
        library.setLevel(library_level)
        library.handlers.clear()  # DBOS and pynetdicom bring handlers of their own
        library.propagate = True
    _catch_what_escapes()


def _renderer(log_format: LogFormat) -> Any:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)


def _without_patients(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Place of a line, not the line, of a library that reads patients' data."""
    record = entry.get("_record")
    name = record.name if record is not None else ""
    if record is not None and name.split(".")[0] in READ_PATIENTS:
        entry["event"] = "a line of a library; its text may quote a header"
        entry["where"] = f"{record.module}:{record.lineno}"
    return entry


def _with_places(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A traceback as a list of places, with the messages that are ours."""
    raised = entry.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, BaseException):
        raised = (type(raised), raised, raised.__traceback__)
    if raised and raised[1] is not None:
        entry["exception"] = told_exception(raised[1])
    return entry


def told_exception(error: BaseException) -> list[str]:
    """Type and place of an exception, its causes first; no message but those of vfnode itself."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    places = [
        f"{frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    before = [*told_exception(cause), "and then"] if cause is not None else []
    return [*before, *places, _kind(error)]


def _kind(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
    if isinstance(error, VfnodeError):
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


def _catch_what_escapes() -> None:
    """Warnings, and exceptions that nobody caught, become lines as well."""
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda raised: _log_uncaught(
        raised.exc_type, raised.exc_value, raised.exc_traceback
    )
    sys.unraisablehook = lambda raised: _log_uncaught(
        raised.exc_type, raised.exc_value, raised.exc_traceback
    )


def _log_warning(
    message: Warning | str,  # noqa: ARG001 - the interpreter calls it by these names
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Without its message: those about DICOM values quote the values."""
    log.warning("warning of a library", category=category.__name__, where=f"{filename}:{lineno}")


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, _traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical("uncaught", exc_info=error or kind())
