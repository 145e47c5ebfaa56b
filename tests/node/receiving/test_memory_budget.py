"""One budget of memory for all that is arriving."""

import socket
import struct
import threading
import time

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from tests.end_to_end.peers import wait_until
from tests.node.factories import node_settings, write_ct
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.memory_budget import MemoryBudget
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.testing.ports import free_port


def test_who_finds_no_room_waits_until_another_gives_back():
    """Its sender is read again as soon as there is room."""
    budget = MemoryBudget(100)
    budget.take("a", 80, 1.0)
    took = threading.Event()

    def take():
        budget.take("b", 40, 20.0)
        took.set()

    threading.Thread(target=take, daemon=True).start()
    assert not took.wait(0.2)
    budget.give_back("a", 30)

    assert took.wait(10)
    assert budget.used_bytes == 90


def test_who_waits_too_long_is_told():
    """Two that wait for each other do not do so for ever."""
    budget = MemoryBudget(100)
    budget.take("a", 80, 1.0)

    with pytest.raises(TimeoutError):
        budget.take("b", 40, 0.05)


def test_who_is_alone_may_have_more_than_all_together():
    """An object up to its own limit is taken, one at a time."""
    budget = MemoryBudget(100)

    budget.take("a", 500, 0.05)

    assert budget.used_bytes == 500
    budget.forget("a")
    assert budget.used_bytes == 0


def test_what_a_sender_leaves_behind_is_given_back(tmp_path):
    """Whole objects when they are written, half ones when the connection ends."""
    settings = node_settings(tmp_path, free_port())
    rule = QuietRule(1.0, 1.0, 1.0, 0.0)
    scp = StorageSCP(settings, Inbox(tmp_path / "inbox", 0), Completeness(rule, time.monotonic))
    scp.start()
    assert scp._server is not None
    budget = scp._server.budget
    send_files(write_ct(tmp_path / "ct"), "127.0.0.1", settings.node.port, "VFNODE", "TEST")
    wait_until(lambda: budget.used_bytes == 0, "given back", 10)

    entity = AE("TEST")
    entity.add_requested_context(CTImageStorage)
    half = entity.associate("127.0.0.1", settings.node.port, ae_title="VFNODE")
    half.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, 100_000) + bytes(50_000))
    wait_until(lambda: budget.used_bytes >= 50_000, "held", 10)
    half.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: budget.used_bytes == 0, "given back", 10)
    half.abort()
    scp.stop(1.0)
