"""A network of its own for a PACS, which can be cut: a namespace behind a pair of veth devices."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.peers import Orthanc


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


@dataclass(frozen=True)
class CutNetwork:
    """A namespace, its device, and the two ends of the cable."""

    name: str
    outside: str
    inside: str

    def cut(self) -> None:
        """Packets vanish, and nobody is told."""
        _run(f"ip netns exec {self.name} ip link set {self.name}b down")

    def mend(self) -> None:
        """Packets flow again."""
        _run(f"ip netns exec {self.name} ip link set {self.name}b up")


class CutOrthanc(Orthanc):
    """An Orthanc in the namespace of a network."""

    def __init__(self, folder: Path, network: CutNetwork) -> None:
        self._network = network
        self.host = network.inside
        super().__init__(folder, RemoteAccessAllowed=True, AuthenticationEnabled=False)

    def _command(self, program: str) -> list[str]:
        return ["ip", "netns", "exec", self._network.name, *super()._command(program)]


@contextmanager
def cut_network() -> Iterator[CutNetwork]:
    """Made for the body of a test, which is skipped where this user or this machine may not."""
    number = os.getpid()
    name = f"vf{number}"  # devices have names of at most 15 characters
    subnet = f"10.213.{number // 64 % 256}.{number % 64 * 4}"
    first, _, last = subnet.rpartition(".")
    network = CutNetwork(name, f"{first}.{int(last) + 1}", f"{first}.{int(last) + 2}")
    if not _has_ip():
        pytest.skip("network namespaces need iproute2")
    _run_or_skip(f"ip netns add {name}")
    try:
        _lay_cable(network)
        yield network
    finally:
        _run(f"ip netns del {name}")


def _lay_cable(network: CutNetwork) -> None:
    name = network.name
    # A container may let a namespace be made and not be entered.
    _run_or_skip(f"ip netns exec {name} true")
    _run_or_skip(f"ip link add {name}a type veth peer name {name}b netns {name}")
    _run(f"ip addr add {network.outside}/30 dev {name}a")
    _run(f"ip link set {name}a up")
    _run(f"ip netns exec {name} ip addr add {network.inside}/30 dev {name}b")
    network.mend()


def _run_or_skip(command: str) -> None:
    run = subprocess.run(command.split(), check=False, capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"network namespaces do not work here: {command}: {run.stderr.strip()}")


def _has_ip() -> bool:
    return any((Path(folder) / "ip").exists() for folder in ("/sbin", "/usr/sbin", "/bin"))
