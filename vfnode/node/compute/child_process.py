"""One compute child as the node sees it: a process that is written to, read from and watched.

Everything is under one deadline that begins before the first byte is written, as a child that
was stopped reads nothing, and a pipe holds 64 KiB.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfnode.errors import ComputeError
from vfnode.node.compute.child_log import relay_lines

READ_BYTES = 65536
MEGABYTE = 1_000_000
LOOK_S = 0.2  #: a volume of a gigabyte takes longer to read
STOP_S = 5.0


@dataclass(frozen=True)
class ChildProgram:
    """Command of the child, and limits of what it may take."""

    command: Sequence[str]
    environment: Mapping[str, str]
    time_limit_s: float  #: for one request
    memory_limit_bytes: int = 0  #: resident; 0 for none
    start_limit_s: float = 120.0  #: until its models are loaded
    silence_limit_s: float = 60.0  #: without a sign of life while it works


class ChildProcess:
    """A running child.

    Args:
        program: how to start it.
        context: of what it works on, for the lines that it logs.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, program: ChildProgram, context: Callable[[], Mapping[str, Any]]) -> None:
        self._program = program
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **program.environment},
            start_new_session=True,  # Ctrl-C at a terminal is for the node to handle
        )
        relay_lines(self._process, context)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._read = b""

    @property
    def pid(self) -> int:
        """Process identifier of the child."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True if the child runs."""
        return self._process.poll() is None

    def first_message(self) -> dict[str, Any]:
        """First message of the child: its models are loaded, or cannot be.

        Raises:
            ComputeError: it died, or said nothing in time.
        """
        limit_s = self._program.start_limit_s
        return self._exchange(b"", limit_s, f"not ready within {limit_s:.0f} s")

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            ComputeError: it died, hung, fell silent or took too much memory.
        """
        limit_s = self._program.time_limit_s
        late = f"no result within {limit_s:.0f} s (compute.time_limit_s)"
        return self._exchange(json.dumps(request).encode() + b"\n", limit_s, late)

    def resident_bytes(self) -> int:
        """Memory of it in RAM (proc(5), statm); 0 when it has just ended.

        Not a limit of address space: torch reserves far more of that than it ever uses.
        """
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End it at once; who waits for its answer is told that it died."""
        self._process.kill()
        self._process.wait(STOP_S)

    def close(self) -> None:
        """End it, and let go of its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _exchange(self, request: bytes, limit_s: float, late: str) -> dict[str, Any]:
        """Write and read at the same time, until a line comes that is more than a beat."""
        now_s = time.monotonic()
        deadline_s, alive_s = now_s + limit_s, now_s
        left = memoryview(request)
        while True:
            readable, writable = self._wait(bool(left))
            if writable:
                left = left[self._write(left) :]
            if readable:
                self._read += self._received()
                alive_s = time.monotonic()
            for message in self._messages():
                if "beat" not in message:
                    return message
            self._check_time(deadline_s, late, alive_s)
            if request:  # what the models need alone is judged when they are loaded
                self._check_memory()

    def _wait(self, has_more: bool) -> tuple[bool, bool]:
        """Readiness of the pipes within a moment, for reading and for writing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wires = select.poll()  # select() takes no descriptor above 1023
        wires.register(self._process.stdout, select.POLLIN)
        if has_more:
            wires.register(self._process.stdin, select.POLLOUT)
        ready = {descriptor for descriptor, _ in wires.poll(LOOK_S * 1000)}
        return self._process.stdout.fileno() in ready, self._process.stdin.fileno() in ready

    def _write(self, left: memoryview) -> int:
        assert self._process.stdin is not None
        try:
            return os.write(self._process.stdin.fileno(), left[:READ_BYTES])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ComputeError(f"the compute child died ({self._ending()})") from error

    def _received(self) -> bytes:
        assert self._process.stdout is not None
        part = os.read(self._process.stdout.fileno(), READ_BYTES)
        if not part:
            raise ComputeError(f"the compute child died ({self._ending()})")
        return part

    def _messages(self) -> Iterator[dict[str, Any]]:
        while b"\n" in self._read:
            line, _, self._read = self._read.partition(b"\n")
            message: dict[str, Any] = json.loads(line)
            yield message

    def _check_time(self, deadline_s: float, late: str, alive_s: float) -> None:
        now_s = time.monotonic()
        if now_s > deadline_s:
            raise ComputeError(late)
        if now_s - alive_s > self._program.silence_limit_s:
            limit_s = self._program.silence_limit_s
            raise ComputeError(f"the compute child gave no sign of life for {limit_s:.0f} s")

    def _check_memory(self) -> None:
        limit = self._program.memory_limit_bytes
        if limit and self.resident_bytes() > limit:
            raise ComputeError(f"more than {limit // MEGABYTE} MB (compute.memory_limit_mb)")

    def _ending(self) -> str:
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        return f"signal {-code}" if code < 0 else f"exit code {code}"
