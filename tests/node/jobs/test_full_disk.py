"""A disk that really is full: a small file system in memory, mounted for the test."""

import subprocess

import pytest

from tests.node.factories import data_set, received
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import InboxFullError
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.received_instance import ReceivedInstance


@pytest.fixture
def small_disk(tmp_path):
    """Two megabytes; skipped where this user may not mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def large(number):
    item = data_set(f"1.2.3.{number}")
    item.PixelData = bytes(300_000)
    item["PixelData"].VR = "OW"
    return received(item)


def fill(inbox):
    """Store until it is refused; what was acknowledged."""
    stored: list[tuple[SeriesKey, ReceivedInstance]] = []
    for number in range(100):
        try:
            key, _ = inbox.put(large(number))
        except InboxFullError:
            return stored
        stored.append((key, large(number)))
    raise AssertionError("the disk never got full")


@pytest.mark.parametrize("reserve_bytes", [0, 700_000])
def test_what_was_acknowledged_before_the_disk_was_full_is_whole(small_disk, reserve_bytes):
    """With a reserve it never gets full; without, the disk's own error is the same answer."""
    inbox = Inbox(small_disk / "inbox", reserve_bytes)

    stored = fill(inbox)

    paths = inbox.instances(stored[0][0])
    assert len(stored) == len(paths) > 0
    assert {path.stat().st_size for path in paths} == {len(stored[0][1].file_bytes())}
    assert list((small_disk / "inbox" / ".incoming").iterdir()) == []


def test_receiving_goes_on_when_there_is_room_again(small_disk):
    """Nobody has to start anything."""
    inbox = Inbox(small_disk / "inbox", 0)
    key, _ = fill(inbox)[0]

    inbox.remove(key, ["1.2.3.0.dcm", "1.2.3.1.dcm"])

    inbox.put(large(50))
    assert "1.2.3.50.dcm" in {path.name for path in inbox.instances(key)}
