"""The node's end of the compute child: start it, ask it, stop it when it hangs.

The node itself never imports torch: a crash, a hang or a leak in a network's code ends
the child, and the next request starts another one.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from vfnode.errors import (
    ComputeError,
    ModelError,
    NotEvaluableError,
    ResultError,
    UnreadableInputError,
)
from vfnode.node.compute.child_log import relay_lines
from vfnode.node.settings.settings import Settings

READ_BYTES = 65536
MEGABYTE = 1_000_000
MEMORY_WATCH_S = 0.2  #: a volume of a gigabyte takes longer to read
STOP_S = 5.0

log = structlog.get_logger()

#: The errors that the child reports by name; anything else is a ComputeError.
_ERRORS: dict[str, Callable[[str, str], Exception]] = {
    "NotEvaluableError": NotEvaluableError,
    "UnreadableInputError": lambda _code, detail: UnreadableInputError(detail),
    "ModelError": lambda _code, detail: ModelError(detail),
    "ResultError": lambda _code, detail: ResultError(detail),
}


class NodeStoppingError(BaseException):
    """The node stops: what runs is not at fault and goes on after the next start.

    Not an Exception, so that a durable workflow is left unfinished and not recorded
    as failed.
    """


@dataclass(frozen=True)
class ChildProgram:
    """How to start the child."""

    command: Sequence[str]
    environment: Mapping[str, str]
    time_limit_s: float
    memory_limit_bytes: int = 0  #: resident; 0 for none


def compute_program(settings: Settings, device_uid: str) -> ChildProgram:
    """The child that holds the models, as the settings want it.

    Args:
        device_uid: of this installation; reports name it as the observer.
    """
    config = {
        "log_level": settings.node.log_level,
        "device": settings.compute.device,
        "models": str(settings.compute.models.absolute()) if settings.compute.models else None,
        "limits": asdict(settings.results.limits()),
        "fallback_encoding": settings.results.fallback_encoding,
        "results": {
            "language": settings.results.language,
            "sr_series_number": settings.results.sr_series_number,
            "sc_series_number": settings.results.sc_series_number,
            "ko_series_number": settings.results.ko_series_number,
            "reformat_series_number": settings.results.reformat_series_number,
            "device_name": settings.node.ae_title,
            "device_uid": device_uid,
            "objects": settings.results.objects(),
        },
    }
    threads = settings.compute.threads or os.cpu_count() or 1
    return ChildProgram(
        command=[sys.executable, "-m", "vfnode.node.compute.child", json.dumps(config)],
        environment={"OMP_NUM_THREADS": str(threads)},
        time_limit_s=settings.compute.time_limit_s,
        memory_limit_bytes=settings.compute.memory_limit_mb * MEGABYTE,
    )


class ComputeClient:
    """One child process, asked one thing at a time.

    Args:
        program: how to start it. It reads one JSON object a line from standard input and
            answers each with one line on standard output; it ends when its input ends.
    """

    def __init__(self, program: ChildProgram) -> None:
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._stopping = False
        self._context: Mapping[str, Any] = {}  #: of the request that the child works on

    def start(self) -> None:
        """Start the child, so that it loads its models before the first series comes."""
        with self._turn:
            self._running()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            ComputeError: the child died, hung or failed in a way it does not know.
            NotEvaluableError: the series is unsuitable.
            UnreadableInputError: its files cannot be read.
            ModelError: the models cannot be loaded.
            ResultError: a result object cannot be built.
            NodeStoppingError: the node stops meanwhile.
        """
        with self._turn:
            child = self._running()
            self._context = structlog.contextvars.get_contextvars()
            try:
                answer = self._exchange(child, json.dumps(request).encode() + b"\n")
            except ComputeError:
                self._end(child)
                if self._stopping:
                    raise NodeStoppingError from None
                raise
        if "error" in answer:
            raise _error_of(answer["error"])
        found: dict[str, Any] = answer["result"]
        return found

    def stop(self) -> None:
        """End the child at once; a request that waits raises NodeStoppingError."""
        self._stopping = True
        child = self._child
        if child is not None:  # its pipes belong to the thread that waits for them
            child.kill()
            child.wait(STOP_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._stopping:
            raise NodeStoppingError
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                self._program.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **self._program.environment},
                start_new_session=True,  # Ctrl-C at a terminal is for the node to handle
            )
            relay_lines(self._child, lambda: self._context)
            log.info("compute child started", pid=self._child.pid)
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
        assert child.stdin is not None
        try:
            child.stdin.write(line)
            child.stdin.flush()
        except OSError as error:
            raise ComputeError(f"the compute child has ended: {error.strerror}") from error
        answer: dict[str, Any] = json.loads(self._read_line(child))
        return answer

    def _read_line(self, child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout is not None
        limit_s = self._program.time_limit_s
        deadline_s = time.monotonic() + limit_s
        line = b""
        answer = select.poll()  # select() takes no descriptor above 1023
        answer.register(child.stdout, select.POLLIN)
        while not line.endswith(b"\n"):
            if not answer.poll(MEMORY_WATCH_S * 1000):
                if time.monotonic() > deadline_s:
                    raise ComputeError(f"no result within {limit_s:.0f} s (compute.time_limit_s)")
                self._check_memory(child)
                continue
            part = os.read(child.stdout.fileno(), READ_BYTES)
            if not part:
                raise ComputeError(f"the compute child died ({_ending(child)})")
            line += part
        return line

    def _check_memory(self, child: subprocess.Popen[bytes]) -> None:
        limit = self._program.memory_limit_bytes
        if limit and _resident_bytes(child.pid) > limit:
            raise ComputeError(f"more than {limit // MEGABYTE} MB (compute.memory_limit_mb)")

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait(STOP_S)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None and not pipe.closed:
                _close_pipe(pipe)


def _resident_bytes(pid: int) -> int:
    """Memory of a process in RAM (proc(5), statm); 0 when it has just ended.

    Not a limit of address space: torch reserves far more of that than it ever uses.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _close_pipe(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # what was left to send has nobody to read it any more
        return


def _ending(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _error_of(error: Mapping[str, str]) -> Exception:
    make = _ERRORS.get(error["name"])
    if make is None:
        return ComputeError(f"compute failed: {error['name']}")
    return make(error["code"], error["detail"])
