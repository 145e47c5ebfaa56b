"""Hostile input: each case is refused with a coded answer or kept as it came, and memory stays.

``VFNODE_HOSTILE=20`` in the environment makes twenty times as many cases and connections.
"""

import logging
import os
import resource
import socket
import struct
import threading
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from tests.end_to_end.peers import wait_until
from tests.node.factories import data_set, node_settings, received
from vfnode.dicom.reading.series_facts import read_facts
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.received_instance import ReceivedInstance
from vfnode.node.receiving.storage_scp import CANNOT_UNDERSTAND, SUCCESS, StorageSCP, handle_store
from vfnode.node.testing.ports import free_port

TIMES = int(os.environ.get("VFNODE_HOSTILE", "1"))
CASES, CONNECTIONS = 500 * TIMES, 250 * TIMES
SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
MEGABYTE = 1_000_000

hostile = settings(max_examples=CASES, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Caller(threading.Thread):
    requestor = SimpleNamespace(ae_title="TEST", address="127.0.0.1")


def store(inbox, instance):
    """The status that a sender of this instance gets."""
    event = SimpleNamespace(
        request=SimpleNamespace(
            AffectedSOPClassUID=instance.sop_class_uid,
            AffectedSOPInstanceUID=instance.sop_instance_uid,
        ),
        context=SimpleNamespace(transfer_syntax=instance.transfer_syntax_uid),
        encoded_dataset=lambda include_meta: b"" if include_meta else instance.dataset,
        assoc=Caller(),
    )
    return handle_store(event, inbox, Completeness(QuietRule(1.0), time.monotonic))


def stands(inbox_folder, status):
    """Whether the inbox holds what the status says and nothing lies outside of it."""
    files = [path for path in inbox_folder.parent.rglob("*") if path.is_file()]
    inside = list(inbox_folder.glob("[0-9a-f]*/*/*/*.dcm"))
    read_facts(inside)  # must raise for nothing that was accepted
    for path in inside:
        path.unlink()
    return files == inside and len(inside) == (1 if status == SUCCESS else 0)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "inbox"
    Inbox(made, 0)
    return made


@hostile
@given(st.data())
def test_a_data_set_with_changed_bytes_is_stored_whole_or_refused(folder, data):
    """Wrong VRs, lying lengths, cut data: 0x0000 or 0xC000, and nothing besides."""
    syntax = data.draw(st.sampled_from(SYNTAXES[:3]))
    body = bytearray(received(data_set(), syntax).dataset)
    for _ in range(data.draw(st.integers(1, 8))):
        where = data.draw(st.integers(0, len(body) - 1))
        body[where] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]

    status = store(
        Inbox(folder, 0), ReceivedInstance(CTImageStorage, "1.2.3.4", syntax, bytes(body))
    )

    assert status in (SUCCESS, CANNOT_UNDERSTAND)
    assert stands(folder, status)


@hostile
@given(st.binary(max_size=400), st.sampled_from(SYNTAXES))
def test_bytes_that_are_no_data_set_are_refused(folder, body, syntax):
    """In every transfer syntax, deflated included."""
    status = store(Inbox(folder, 0), ReceivedInstance(CTImageStorage, "1.2.3.4", syntax, body))

    assert status == CANNOT_UNDERSTAND
    assert stands(folder, status)


@hostile
@given(st.text(max_size=70), st.sampled_from(["study", "series", "uid"]))
def test_no_text_in_place_of_a_uid_leaves_the_inbox(folder, text, where):
    """Path characters, empty, too long, other scripts."""
    item = data_set()
    keyword = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "uid": "SOPInstanceUID"}
    raw = text.encode("utf-8")[:64]
    item_bytes = received(item).dataset
    old = str(item[keyword[where]].value).encode()
    padded = old + b"\0" * (len(old) % 2)
    value = raw + b"\0" * (len(raw) % 2)
    head = b"UI" + struct.pack("<H", len(padded)) + padded
    body = item_bytes.replace(head, b"UI" + struct.pack("<H", len(value)) + value, 1)
    name = raw.decode("latin-1") if where == "uid" else "1.2.3.4"

    instance = ReceivedInstance(CTImageStorage, name, ExplicitVRLittleEndian, body)
    status = store(Inbox(folder, 0), instance)

    assert status in (SUCCESS, CANNOT_UNDERSTAND)
    assert stands(folder, status)


def deep_sequence(levels):
    item = b""
    for _ in range(levels):
        inner = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(item)) + item
        item = b"\x08\x00\x40\x11SQ\0\0" + struct.pack("<L", len(inner)) + inner
    return item


def bomb():
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return deflate.compress(bytes(300 * MEGABYTE)) + deflate.flush()


CORPUS = {
    "a sequence of 10,000 levels": (ExplicitVRLittleEndian, deep_sequence(10_000)),
    "a decompression bomb": (DeflatedExplicitVRLittleEndian, bomb()),
    "a length of 4 GB": (
        ExplicitVRLittleEndian,
        b"\x08\x00\x18\x00UN\0\0\xfe\xff\xff\xff" + b"1.2.3.4\0",
    ),
    "nothing": (ExplicitVRLittleEndian, b""),
    "sequence without end": (
        ExplicitVRLittleEndian,
        b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000,
    ),
}


@pytest.mark.parametrize("name", CORPUS)
def test_known_attacks_are_refused_in_no_time_and_no_memory(name, folder):
    """0xC000, within two seconds and 100 MB."""
    syntax, body = CORPUS[name]
    before = resident_bytes()
    began_s = time.monotonic()

    status = store(Inbox(folder, 0), ReceivedInstance(CTImageStorage, "1.2.3.4", syntax, body))

    assert status == CANNOT_UNDERSTAND
    assert time.monotonic() - began_s < 2
    assert resident_bytes() - before < 100 * MEGABYTE


def test_absurd_sizes_in_a_header_cost_nothing_on_receipt(folder):
    """65535 x 65535 pixels that are not there: stored, and the reader refuses them later."""
    item = data_set()
    item.Rows = item.Columns = 65535
    item.NumberOfFrames = "2147483647"
    inner = Dataset()
    inner.PatientName = "x"
    item.OtherPatientIDsSequence = Sequence([inner])

    assert store(Inbox(folder, 0), received(item)) == SUCCESS


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def port(tmp_path):
    made = node_settings(tmp_path, free_port())
    receiving = made.receiving.model_copy(update={"association_timeout_s": 3.0})
    made = made.model_copy(update={"receiving": receiving})
    scp = StorageSCP(
        made, Inbox(tmp_path / "inbox", 0), Completeness(QuietRule(1.0), time.monotonic)
    )
    scp.start()
    yield made.node.port
    scp.stop(1.0)


def echoes(port):
    entity = AE("TEST")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port, ae_title="VFNODE")
    if not association.is_established:
        return False
    association.release()
    return True


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x00\x00\x00\x04half"])
def test_bare_connections_leave_no_threads_and_no_memory(says, port, caplog):
    """Port checks, browsers, half an association request: gone when they go."""
    # pytest would keep the library's tracebacks, with all that their frames hold.
    caplog.set_level(logging.CRITICAL, "pynetdicom")
    assert echoes(port)
    threads, memory = threading.active_count(), resident_bytes()

    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(says)
    wait_until(lambda: threading.active_count() <= threads + 2, "their threads end", 60)

    assert echoes(port)
    assert resident_bytes() - memory < 30 * MEGABYTE
