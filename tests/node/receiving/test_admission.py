"""Who is let in, over real associations."""

import socket
import struct
import threading
import time

import pytest
from pydantic import ValidationError
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from tests.end_to_end.peers import wait_until
from tests.node.factories import node_settings, write_ct
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.receiving.admission import Admission, Refusal
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.settings.receiving import ReceivingSection
from vfnode.node.settings.settings import Settings
from vfnode.node.testing.ports import free_port

SITE = ("CT1@192.0.2.7", "*@10.1.0.0/16", "*@::1")


@pytest.mark.parametrize(
    ("calling", "called", "address", "refusal"),
    [
        ("CT1", "VFNODE", "192.0.2.7", None),
        ("CT1", "VFNODE", "192.0.2.8", Refusal.CALLER),
        ("CT2", "VFNODE", "192.0.2.7", Refusal.CALLER),
        ("ANY", "VFNODE", "10.1.255.1", None),
        ("ANY", "VFNODE", "::ffff:10.1.255.1", None),
        ("ANY", "PACS", "10.1.255.1", Refusal.CALLED),
        ("ANY", "VFNODE", "::1", None),
        ("ANY", "VFNODE", "127.0.0.1", Refusal.CALLER),
    ],
)
def test_title_and_address_decide_together(calling, called, address, refusal):
    """A known title from a strange address is a stranger."""
    settings = Settings(receiving=ReceivingSection(allowed_callers=SITE))

    assert Admission(settings).refusal(calling, called, address) is refusal


@pytest.mark.parametrize("line", ["CT1", "@10.0.0.1", "CT1@scanner", "CT1@10.0.0.1/99"])
def test_a_line_that_is_no_caller_is_a_wrong_setting(line):
    """A typo must not open the port, nor close it without a word."""
    with pytest.raises(ValidationError):
        ReceivingSection(allowed_callers=(line,))


def test_by_default_only_this_machine_may_call():
    """Whoever opens the node to a network says to whom."""
    admission = Admission(Settings())

    assert admission.refusal("ANY", "VFNODE", "127.0.0.1") is None
    assert admission.refusal("ANY", "VFNODE", "192.0.2.7") is Refusal.CALLER


@pytest.fixture
def start(tmp_path):
    """Start a port with these settings of [receiving]; stopped after the test."""
    started = []

    def make(**receiving):
        plain = node_settings(tmp_path, free_port())
        changed = plain.receiving.model_copy(update=receiving)
        settings = plain.model_copy(update={"receiving": changed})
        inbox = Inbox(tmp_path / "inbox", changed.reserve_mb * 1_000_000)
        scp = StorageSCP(settings, inbox, Completeness(QuietRule(1.0), time.monotonic))
        scp.start()
        started.append(scp)
        return settings.node.port

    yield make
    for scp in started:
        scp.stop(1.0)


def associate(port, calling="TEST", called="VFNODE"):
    entity = AE(calling)
    entity.add_requested_context(Verification)
    return entity.associate("127.0.0.1", port, ae_title=called)


@pytest.mark.parametrize(
    ("calling", "called", "diagnostic"), [("STRANGER", "VFNODE", 3), ("CT1", "PACS", 7)]
)
def test_a_stranger_is_rejected_with_the_diagnostic_and_logged(
    calling, called, diagnostic, start, capsys
):
    """A-ASSOCIATE-RJ: permanent, by the service user; the log says who it was."""
    port = start(allowed_callers=("CT1@127.0.0.1",))

    rejected = associate(port, calling, called)
    answer = rejected.acceptor.primitive
    accepted = associate(port, "CT1")

    assert rejected.is_rejected
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, diagnostic)
    assert accepted.send_c_echo().Status == 0
    accepted.release()
    said = capsys.readouterr().out
    assert "association rejected" in said
    assert calling in said


def test_the_called_title_is_not_looked_at_where_the_site_says_so(start):
    """For senders whose address book cannot be changed."""
    accepted = associate(start(check_called_ae_title=False), called="OLD_NAME")

    assert accepted.is_established
    accepted.release()


def test_an_instance_beyond_the_limit_loses_its_connection_and_nothing_else(start, tmp_path):
    """The next sender is served; nothing of the large one is kept."""
    port = start(max_object_mb=1)
    (small,) = write_ct(tmp_path / "ct", 1)
    large = tmp_path / "large.dcm"
    large.write_bytes(small.read_bytes() + b"\x09\x00\x10\x00OB\0\0" + struct.pack("<I", 2_000_000))
    with large.open("ab") as file:
        file.write(bytes(2_000_000))

    with pytest.raises(DeliveryDeferredError):
        send_files([large], "127.0.0.1", port, "VFNODE", "TEST")
    assert list((tmp_path / "inbox").glob("*/*/*/*.dcm")) == []
    send_files([small], "127.0.0.1", port, "VFNODE", "TEST")

    assert len(list((tmp_path / "inbox").glob("*/*/*/*.dcm"))) == 1


def test_an_association_request_that_claims_gigabytes_is_hung_up_on(start):
    """Before a byte of it is read into memory."""
    with socket.create_connection(("127.0.0.1", start())) as wire:
        wire.sendall(struct.pack(">BBL", 1, 0, 2**31))
        wire.settimeout(10)

        assert wire.recv(1) == b""


def test_a_sender_that_dies_within_a_pdu_frees_its_place(start):
    """Its connection stays open and says nothing more, as after a power cut."""
    port = start(max_associations=1, idle_timeout_s=1.0)
    dead = associate(port)
    dead.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, 1000) + b"half")
    full = associate(port)

    def serves():
        alive = associate(port)
        if not alive.is_established:
            return False
        alive.release()
        return True

    assert full.is_rejected
    wait_until(serves, "the place is free", 20)
    dead.abort()


@pytest.mark.parametrize(
    "drips",
    [
        pytest.param(lambda _n: b"\0", id="one endless PDU"),
        pytest.param(lambda _n: fragment(b"\0"), id="one endless object"),
    ],
)
def test_a_sender_that_drips_frees_its_place(drips, start):
    """It is never idle, and would hold every place with 25 of its kind."""
    limits = {"pdu_timeout_s": 1.5, "object_timeout_s": 2.5, "idle_timeout_s": 30.0}
    port = start(max_associations=1, **limits)
    slow = associate(port)
    wire = slow.dul.socket.socket
    wire.sendall(struct.pack(">BBL", 4, 0, 1000) if drips(0) == b"\0" else b"")
    assert associate(port).is_rejected
    ended = threading.Event()

    def drip():
        while not ended.wait(0.2):
            try:
                wire.sendall(drips(0))
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()

    def serves():
        alive = associate(port)
        if not alive.is_established:
            return False
        alive.release()
        return True

    wait_until(serves, "the place is free", 20)
    ended.set()
    slow.abort()


def fragment(data):
    """A P-DATA-TF PDU with a piece of a command that does not end (PS3.8 9.3.5)."""
    item = struct.pack(">LBB", 2 + len(data), 1, 0x01) + data
    return struct.pack(">BBL", 4, 0, len(item)) + item


def test_who_may_not_call_from_there_is_not_heard_at_all(start):
    """Silent strangers cannot take the connections of those who may."""
    port = start(allowed_callers=("*@127.0.0.2",), max_connections=2, association_timeout_s=60.0)
    strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
    for stranger in strangers:
        stranger.settimeout(10)
        assert stranger.recv(1) == b""

    entity = AE("TEST")
    entity.add_requested_context(Verification)
    allowed = entity.associate("127.0.0.1", port, ae_title="VFNODE", bind_address=("127.0.0.2", 0))

    assert allowed.send_c_echo().Status == 0
    allowed.release()


def test_bare_connections_cannot_take_all_threads(start):
    """Those beyond the limit are closed at once; when they go, senders are served again."""
    port = start(max_connections=5, association_timeout_s=60.0)
    bare = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    time.sleep(1.0)

    def is_closed(wire):
        wire.settimeout(0.05)
        try:
            return wire.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True

    assert sum(map(is_closed, bare)) == 15
    for wire in bare:
        wire.close()
    wait_until(lambda: associate(port).is_established, "served again", 10)


def test_below_the_reserve_senders_are_told_to_wait_and_then_served_again(
    start, tmp_path, monkeypatch
):
    """0xA700 before the disk is full; it needs nobody to start receiving again."""
    (image,) = write_ct(tmp_path / "ct", 1)
    free = {"bytes": 1_500_000_000}

    class Usage:
        @property
        def free(self):
            return free["bytes"]

    monkeypatch.setattr("vfnode.node.receiving.inbox.shutil.disk_usage", lambda _path: Usage())
    port = start(reserve_mb=2000)

    with pytest.raises(DeliveryDeferredError, match="0xA700"):
        send_files([image], "127.0.0.1", port, "VFNODE", "TEST")
    free["bytes"] = 3_000_000_000
    send_files([image], "127.0.0.1", port, "VFNODE", "TEST")

    assert len(list((tmp_path / "inbox").glob("*/*/*/*.dcm"))) == 1


def test_a_pdu_limit_is_told_to_the_sender(start, tmp_path):
    """And a sender that keeps to it is understood."""
    port = start(max_pdu_kb=16)
    entity = AE("TEST")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)

    opened = entity.associate("127.0.0.1", port, ae_title="VFNODE")
    told = opened.acceptor.maximum_length
    opened.release()
    send_files(write_ct(tmp_path / "ct", 1), "127.0.0.1", port, "VFNODE", "TEST")

    assert told == 16_000
