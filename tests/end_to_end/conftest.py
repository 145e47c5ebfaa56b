"""A real Orthanc, a node and a small synthetic CT for each test."""

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.peers import Node, Orthanc, write_settings
from tests.node.factories import write_ct
from vfnode.node.testing.orthanc import PROGRAM
from vfnode.node.testing.ports import free_port

needs_peers = pytest.mark.skipif(
    not (PROGRAM and shutil.which("dcmsend")),
    reason="Orthanc and DCMTK are not installed (apt-get install orthanc dcmtk)",
)


def pytest_collection_modifyitems(items):
    for item in items:
        if "end_to_end" in str(item.path):
            item.add_marker(pytest.mark.end_to_end)
            item.add_marker(needs_peers)


@pytest.fixture
def orthanc(tmp_path):
    pacs = Orthanc(tmp_path / "orthanc")
    pacs.start()
    yield pacs
    pacs.stop()


@pytest.fixture
def ct(tmp_path) -> list[Path]:
    """Twelve slices of noise; enough for everything but the networks."""
    return write_ct(tmp_path / "ct", slices=12)


@pytest.fixture
def make_node(tmp_path):
    """Make a node with a fake compute child for a destination port; it ends with the test."""
    made: list[Node] = []

    def make(destination_port: int) -> Node:
        path = write_settings(tmp_path / "node", free_port(), destination_port)
        control = tmp_path / "control"
        control.mkdir()
        made.append(Node(path, control))
        return made[-1]

    yield make
    for node in made:
        node.end()


@pytest.fixture
def real_node(orthanc, tmp_path):
    """``vfnode serve`` with the models that are shipped, delivering to Orthanc."""
    node = Node(write_settings(tmp_path / "node", free_port(), orthanc.dicom_port))
    node.start()
    yield node
    node.end()
