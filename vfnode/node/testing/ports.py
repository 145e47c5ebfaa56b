"""Free TCP ports, and peers that need a moment to listen."""

from __future__ import annotations

import random
import socket
import time

from vfnode.errors import VfnodeError

START_S = 90.0
LOOK_S = 0.05


def free_port() -> int:
    """A TCP port on loopback that nobody listens on.

    Drawn below those that the kernel gives to outgoing connections, one of which could take it
    before its owner does.
    """
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:  # taken: draw another
                continue
        return port


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """True if something listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def wait_for_port(port: int, what: str, host: str = "127.0.0.1") -> None:
    """Wait until something listens on a port.

    Raises:
        VfnodeError: nothing does in time.
    """
    deadline_s = time.monotonic() + START_S
    while not answers(port, host):
        if time.monotonic() > deadline_s:
            raise VfnodeError(f"{what} does not listen on port {port} after {START_S:.0f} s")
        time.sleep(LOOK_S)
