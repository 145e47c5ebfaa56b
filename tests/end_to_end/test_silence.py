"""No word about the patient anywhere but in the DICOM objects that are for the PACS."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from pydicom import dcmread

from tests.end_to_end.peers import Node, send, wait_until, write_settings
from tests.node.factories import FACTS, write_ct
from vfnode.node.testing.ports import free_port

CANARIES: dict[str, Any] = {
    "patient_name": "Canary^Zwitscher",
    "patient_id": "CANARY-ID-4711",
    "patient_birth_date": "19480229",
    "accession_number": "CANARY-ACC",
}


@pytest.fixture
def node(orthanc, tmp_path):
    """``vfnode serve`` with the shipped models and a folder of its own for temporary files."""
    made = Node(write_settings(tmp_path / "node", free_port(), orthanc.dicom_port))
    (tmp_path / "node" / "tmp").mkdir()
    made.environment = {"TMPDIR": str(tmp_path / "node" / "tmp")}
    made.start()
    yield made
    made.end()


def study(folder, name):
    return write_ct(folder / name, 12, replace(FACTS, seed=name, **CANARIES))


def damage_pixels(paths):
    """Pixels that end too early, and a rescaling that quotes the patient."""
    for path in paths:
        item = dcmread(path)
        item.PixelData = item.PixelData[:100]
        item.save_as(path)


def damage_header(paths):
    """A number that is none, but the patient's name."""
    for path in paths:
        content = path.read_bytes()
        at = content.index(b"\x28\x00\x53\x10DS")  # RescaleSlope
        length = int.from_bytes(content[at + 6 : at + 8], "little")
        name = b"Canary^Zwitscher"
        value = name[: 2 * (len(name) // 2)]
        changed = content[: at + 6] + len(value).to_bytes(2, "little") + value
        path.write_bytes(changed + content[at + 8 + length :])


def test_nothing_that_a_node_writes_about_a_study_names_the_patient(node, tmp_path):
    """A whole run with a good study, two damaged ones and strangers, grepped to the last byte.

    Log at its most talkative, database, folders and files by name and content, results in JSON,
    temporary files, and what ``vfnode jobs`` prints. The DICOM objects are left out.
    """
    good, cut, wrong = (study(tmp_path, name) for name in ("good", "cut", "wrong"))
    damage_pixels(cut)
    damage_header(wrong)
    for images in (good, cut, wrong):
        send("dcmsend", images, node.settings.node.port, "--no-halt", "--no-uid-checks")
    called = ["echoscu", "-aec", "SOMEBODY", "127.0.0.1", str(node.settings.node.port)]
    subprocess.run(called, check=False, capture_output=True)
    wait_until(
        lambda: (
            sum(job.state.value in ("DELIVERED", "REJECTED", "FAILED") for job in node.jobs()) == 3
        ),
        "all three have ended",
    )
    told = subprocess.run(
        [sys.executable, "-m", "vfnode.cli", "jobs", "--settings", str(node.settings_path)],
        check=True,
        capture_output=True,
    ).stdout
    node.stop()

    events = {json.loads(line)["event"] for line in node.log.splitlines() if line.startswith("{")}
    assert {"listening", "series received", "delivery", "stopped"} <= events
    assert any(event.startswith("not evaluated") for event in events)
    folder = node.settings_path.parent
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts = [told, *(f"{path}".encode() for path in folder.rglob("*"))]
    texts += [content for path, content in written.items() if path.suffix != ".dcm"]
    for canary in CANARIES.values():
        for part in canary.split("^"):
            assert not [text[:200] for text in texts if part.lower().encode() in text.lower()]
