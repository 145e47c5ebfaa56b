"""What breaks around a node: clock, database, child, disk, PACS, network."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.end_to_end.cut_network import CutOrthanc, cut_network
from tests.end_to_end.holding_proxy import HoldingProxy
from tests.end_to_end.peers import children_of, send, wait_until
from tests.node.factories import FACTS, write_ct
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.storage_scu import send_files


def study(folder, name):
    """A CT of its own study."""
    return write_ct(folder / name, 12, replace(FACTS, seed=name))


def delivered(node, images):
    """Wait until the study of these images is delivered; its job."""
    uid = dcmread(images[0], stop_before_pixels=True).StudyInstanceUID
    wait_until(
        lambda: any(
            j.study_instance_uid == uid and j.state.value == "DELIVERED" for j in node.jobs()
        ),
        "delivered",
    )
    return next(job for job in node.jobs() if job.study_instance_uid == uid)


def once(objects):
    """Each of so many objects has come once."""
    return sorted(objects.values()) == [1] * len(objects)


@pytest.fixture
def jumping_clock(tmp_path):
    """A library that shifts the time of day, and the file that says by how much."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (apt-get install gcc libc6-dev)")
    library = tmp_path / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library, tmp_path / "shift"


def test_a_clock_that_jumps_stops_nothing(jumping_clock, orthanc, make_node, tmp_path):
    """Back by two hours, then on by a year: each next study goes its way at once."""
    library, shift = jumping_clock
    node = make_node(orthanc.dicom_port)
    node.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}
    jobs = []
    node.start()
    for by_s in (0, -7200, 365 * 86400):
        shift.write_text(f"{by_s}")
        images = study(tmp_path, f"clock {by_s}")
        send("dcmsend", images, node.settings.node.port)
        jobs.append(delivered(node, images))

    first, back, on = (job.created_at for job in jobs)
    assert (first - back).total_seconds() > 3600
    assert (on - first).days > 300
    assert once(orthanc.requests)
    assert len(orthanc.requests) == 6


def test_a_locked_database_holds_up_and_loses_nothing(orthanc, ct, make_node):
    """As during a backup: images are acknowledged meanwhile, and the study goes on after it."""
    node = make_node(orthanc.dicom_port)
    hold = node.control / "hold-compute"
    hold.touch()
    node.start()
    first = study(node.settings_path.parent, "before")
    send("dcmsend", first, node.settings.node.port)
    node.wait_for_stage("compute")

    with sqlite3.connect(node.settings.node.spool / "vfnode.sqlite", timeout=30) as database:
        database.execute("BEGIN IMMEDIATE")
        hold.unlink()
        send("dcmsend", ct, node.settings.node.port)
        held = len(list((node.settings.node.spool / "inbox").glob("*/*/*/*.dcm")))
        wait_until(lambda: "database not ready" in node.log, "the node has seen the lock")
        database.rollback()

    assert held == 24
    for images in (first, ct):
        delivered(node, images)
    assert once(orthanc.requests)


def test_a_compute_child_that_is_killed_is_replaced(orthanc, ct, make_node):
    """As by the kernel when memory runs out: the study is computed again, and delivered once."""
    node = make_node(orthanc.dicom_port)
    hold = node.control / "hold-compute"
    hold.touch()
    node.start()
    send("dcmsend", ct, node.settings.node.port)
    node.wait_for_stage("compute")
    wait_until((node.control / "requests").exists, "the child has the request")

    for child in children_of(node.process.pid):
        os.kill(child, signal.SIGKILL)
    hold.unlink()
    delivered(node, ct)

    assert (node.control / "requests").read_text().split() == ["compute", "compute", "build"]
    assert once(orthanc.requests)


@pytest.fixture
def small_disk(tmp_path):
    """Sixty megabytes for a spool; skipped where this user may not mount."""
    folder = tmp_path / "node"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_node_on_a_full_disk_delivers_what_it_has_and_takes_more_when_there_is_room(
    small_disk, orthanc, make_node, tmp_path
):
    """0xA700 to senders; the reserve is what the work in hand needs."""
    node = make_node(orthanc.dicom_port)
    node.environment = {"VFNODE_RECEIVING__RESERVE_MB": "20", "VFNODE_RETENTION__ROOM_MB": "0"}
    hold = node.control / "hold-compute"
    hold.touch()
    node.start()
    first, second = study(tmp_path, "first"), study(tmp_path, "second")
    send("dcmsend", first, node.settings.node.port)
    node.wait_for_stage("compute")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(45_000_000))

    with pytest.raises(DeliveryDeferredError, match="0xA700"):
        send_files(second, "127.0.0.1", node.settings.node.port, "VFNODE", "TEST")
    hold.unlink()
    delivered(node, first)
    ballast.unlink()
    send_files(second, "127.0.0.1", node.settings.node.port, "VFNODE", "TEST")
    delivered(node, second)

    assert once(orthanc.requests)


def test_a_pacs_that_is_stopped_in_mid_delivery_has_everything_once_when_it_is_back(
    orthanc, ct, make_node
):
    """It has stored one object and said so to nobody: the node asks before it sends again."""
    proxy = HoldingProxy(orthanc.dicom_port)
    node = make_node(proxy.port)
    proxy.hold_answers_when(lambda: len(orthanc.get("/instances")) == 1)
    node.start()
    send("dcmsend", ct, node.settings.node.port)
    wait_until(lambda: not proxy.answers_flow.is_set(), "one is stored and not answered")

    orthanc.stop()
    proxy.hold_answers_when(lambda: False)
    proxy.cut()
    proxy.answers_flow.set()
    wait_until(lambda: node.jobs()[0].reason != "", "the delivery has failed")
    orthanc.start()
    job = delivered(node, ct)
    proxy.close()

    assert Counter(receipt.status for receipt in job.receipts) == {0x0111: 1, 0x0000: 1}
    assert once(orthanc.requests)


def test_a_network_that_is_cut_delays_a_delivery_and_doubles_nothing(make_node, ct, tmp_path):
    """In a network namespace: packets vanish in mid-association, as when a cable is pulled."""
    with cut_network() as network:
        orthanc = CutOrthanc(tmp_path / "orthanc", network)
        orthanc.start()
        node = make_node(orthanc.dicom_port)
        text = node.settings_path.read_text()
        node.settings_path.write_text(
            text.replace("timeout_s = 20", f'timeout_s = 3\nhost = "{network.inside}"')
        )
        node.start()
        orthanc.signal(signal.SIGSTOP)  # it accepts, and answers no more
        send("dcmsend", ct, node.settings.node.port)
        node.wait_for_stage("deliver")

        network.cut()
        orthanc.signal(signal.SIGCONT)
        wait_until(lambda: bool(node.jobs()[0].reason), "the delivery has failed")
        reason = node.jobs()[0].reason
        network.mend()
        delivered(node, ct)

        assert "does not answer" in reason
        assert once(orthanc.requests)
        assert len(orthanc.requests) == 2
        orthanc.stop()
