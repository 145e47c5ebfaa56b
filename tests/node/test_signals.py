"""A node as a process: a terminal that closes, and what a crash would leave behind."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.peers import Node, wait_until, write_settings
from vfnode.node.testing.ports import answers, free_port

UNITS = Path(__file__).parents[2] / "systemd"


@pytest.fixture
def node(tmp_path):
    (tmp_path / "control").mkdir()
    made = Node(write_settings(tmp_path / "node", free_port(), free_port()), tmp_path / "control")
    made.start()
    yield made
    made.end()


def test_a_hang_up_ends_no_node_and_a_crash_leaves_no_core(node):
    """A core would hold patients' images; SIGTERM still ends it cleanly."""
    node.process.send_signal(signal.SIGHUP)
    limits = Path(f"/proc/{node.process.pid}/limits").read_text()

    wait_until(lambda: "SIGHUP is ignored" in node.log, "it says so", 20)
    assert answers(node.settings.node.port)
    (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert node.stop() == 0


def test_the_units_allow_no_core():
    """Also of the processes that a node starts."""
    for unit in UNITS.glob("*.service"):
        assert "\nLimitCORE=0\n" in unit.read_text(), unit.name
