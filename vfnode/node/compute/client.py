"""The node's end of the compute child: start it, ask it, stop it when it hangs.

The node itself never imports torch: a crash, a hang or a leak in a network's code ends
the child, and the next request starts another one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import structlog

from vfnode.errors import (
    ComputeError,
    InstallationError,
    ModelError,
    NotEvaluableError,
    ResultError,
    SettingsError,
    UnreadableInputError,
)
from vfnode.node.compute.child_process import MEGABYTE, ChildProcess, ChildProgram
from vfnode.node.settings.settings import Settings

HEADROOM_BYTES = 100 * MEGABYTE  #: beyond the models, for the smallest series

log = structlog.get_logger()

#: The errors that the child reports by name; anything else is a ComputeError.
_ERRORS: dict[str, Callable[[str, str], Exception]] = {
    "NotEvaluableError": NotEvaluableError,
    "UnreadableInputError": lambda _code, detail: UnreadableInputError(detail),
    "ModelError": lambda _code, detail: ModelError(detail),
    "InstallationError": lambda _code, detail: InstallationError(detail),
    "ResultError": lambda _code, detail: ResultError(detail),
}


class NodeStoppingError(BaseException):
    """The node stops: what runs is not at fault and goes on after the next start.

    Not an Exception, so that a durable workflow is left unfinished and not recorded
    as failed.
    """


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
        program: how to start it. It says when it is ready, reads one JSON object a line from
            standard input and answers each with one line on standard output; it ends when its
            input ends.
    """

    def __init__(self, program: ChildProgram) -> None:
        self._program = program
        self._child: ChildProcess | None = None
        self._turn = threading.Lock()
        self._stopping = False
        self._context: Mapping[str, Any] = {}  #: of the request that the child works on
        # The kernel ends a child with the thread that began it: this one lives as long as we do.
        self._starter = ThreadPoolExecutor(1, "compute-starter")
        self.trouble = ""  #: why no child can work now; empty where one can

    def start(self) -> None:
        """Start the child and wait until it can work.

        Raises:
            SettingsError: models, device or templates cannot be used, or it may take less
                memory than they need.
            InstallationError: it cannot be started now.
        """
        with self._turn:
            try:
                child = self._running()
            except ModelError as error:
                raise SettingsError(f"compute.models, compute.device: {error}") from error
            need, limit = child.resident_bytes(), self._program.memory_limit_bytes
            if limit and limit < need + HEADROOM_BYTES:
                self._end()
                raise SettingsError(
                    f"compute.memory_limit_mb: {limit // MEGABYTE} MB is too little; the models "
                    f"alone take {need // MEGABYTE} MB, a chest CT about 3000 MB"
                )

    def look(self) -> None:
        """Start the child where it is not there, so that its trouble is known before a study."""
        if self._turn.acquire(blocking=False):
            try:
                self._running()
            except (ModelError, InstallationError, NodeStoppingError):
                return  # told, and tried again at the next look
            finally:
                self._turn.release()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            ComputeError: the child died, hung or failed in a way it does not know.
            NotEvaluableError: the series is unsuitable.
            UnreadableInputError: its files cannot be read.
            ModelError: the models cannot be loaded.
            InstallationError: the child cannot be started, or the disk is full.
            ResultError: a result object cannot be built.
            NodeStoppingError: the node stops meanwhile.
        """
        with self._turn:
            self._context = structlog.contextvars.get_contextvars()
            try:
                answer = self._running().ask(request)
            except ComputeError:
                self._end()
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
        self._starter.shutdown(wait=False, cancel_futures=True)

    def _running(self) -> ChildProcess:
        if self._stopping:
            raise NodeStoppingError
        if self._child is None or not self._child.is_alive:
            try:
                self._child = self._made()
            except (ModelError, InstallationError) as error:
                self._tell(str(error))
                raise
            self._tell("")
        return self._child

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.error("NOT READY", reason=trouble)
        elif self.trouble and not trouble:
            log.info("ready again")
        self.trouble = trouble

    def _made(self) -> ChildProcess:
        """A child that is ready.

        Raises:
            ModelError: it says that it cannot work.
            InstallationError: it cannot be started, or does not come so far.
        """
        self._end()
        try:
            child = self._starter.submit(
                ChildProcess, self._program, lambda: self._context
            ).result()
        except OSError as error:
            raise InstallationError(
                f"the compute child cannot be started: {error.strerror}"
            ) from error
        except RuntimeError:  # the starter takes no more work
            raise NodeStoppingError from None
        log.info("compute child started", pid=child.pid)
        self._child = child  # so that a stop ends it
        try:
            message = child.first_message()
        except ComputeError as error:
            if self._stopping:
                raise NodeStoppingError from None
            self._end()
            raise InstallationError(f"the compute child cannot be started: {error}") from error
        if "error" in message:
            self._end()
            raise ModelError(message["error"]["detail"] or message["error"]["name"])
        return child

    def _end(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


def _error_of(error: Mapping[str, str]) -> Exception:
    make = _ERRORS.get(error["name"])
    if make is None:
        return ComputeError(f"compute failed: {error['name']}")
    return make(error["code"], error["detail"])
