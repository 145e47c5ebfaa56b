"""A PACS that hangs up, says nothing, is slow, or loses the association: what is tried again."""

import socket
import threading
import time

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from tests.node.factories import write_ct
from tests.node.fake_compute import build
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.cstore import CStoreDestination
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings


@pytest.fixture
def objects(tmp_path):
    """An SR and an SC, as a job has them."""
    images = write_ct(tmp_path / "ct", 2)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


def destination(port, timeout_s=1.0):
    section = DestinationSection(name="pacs", ae_title="PACS", port=port, timeout_s=timeout_s)
    return CStoreDestination(section, Settings())


def hangs_up(connection):
    connection.close()


def says_nothing(connection):
    connection.recv(1 << 20)


def half_closes(connection):
    connection.shutdown(socket.SHUT_WR)


def babbles(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)


@pytest.mark.parametrize("behaviour", [hangs_up, says_nothing, half_closes, babbles])
def test_who_gives_no_answer_is_called_again_later(behaviour, objects):
    """Within the time-out, whatever the other side does with the connection."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            taken.append(connection)  # it stays open until the test ends
            behaviour(connection)

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        with pytest.raises(DeliveryDeferredError, match=f"PACS at 127.0.0.1:{port}"):
            destination(port).send(objects, lambda _each, _status: None)
    for connection in taken:
        connection.close()


@pytest.mark.parametrize(
    ("host", "words"),
    [("no-such-host.invalid", "cannot be resolved"), ("pacs..hospital", "cannot be a host name")],
)
def test_a_name_that_does_not_resolve_is_tried_again_later(host, words, objects):
    """A name server may be away for a second, and a typing error is told in words."""
    section = DestinationSection(name="pacs", ae_title="PACS", host=host, timeout_s=1)

    with pytest.raises(DeliveryDeferredError, match=words):
        CStoreDestination(section, Settings()).send(objects, lambda _each, _status: None)


@pytest.mark.parametrize("drip", [b"\0", b"\x02\0\0\0\0\x02ab"])
def test_a_dripping_pacs_is_hung_up_on_at_the_time_of_the_attempt(drip, objects):
    """Eight bytes of an answer, and then single ones: it held a slot for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            wire, _ = listener.accept()
            with wire:
                wire.sendall(b"\x02\0\0\x0f\0\0ab")
                while True:
                    try:
                        wire.sendall(drip)
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        section = DestinationSection(
            name="pacs", ae_title="PACS", port=port, timeout_s=5, attempt_timeout_s=2
        )
        began_s = time.monotonic()
        with pytest.raises(DeliveryDeferredError):
            CStoreDestination(section, Settings()).send(objects, lambda _each, _status: None)

    assert time.monotonic() - began_s < 6


@pytest.fixture
def pacs():
    """Start a storage SCP with a handler of C-STORE; its port."""
    servers = []

    def start(handle):
        entity = AE("PACS")
        entity.supported_contexts = AllStoragePresentationContexts
        handlers = [(evt.EVT_C_STORE, handle)]
        servers.append(entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers))
        return servers[-1].server_address[1]

    yield start
    for server in servers:
        server.shutdown()


def test_an_association_that_is_lost_in_mid_object_defers_what_was_not_answered(objects, pacs):
    """What was answered before is told of, and is not sent again."""
    seen = []

    def lose_the_second(event):
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if len(seen) > 1:
            event.assoc.dul.socket.close()
        return 0x0000

    stored = []
    with pytest.raises(DeliveryDeferredError):
        destination(pacs(lose_the_second)).send(objects, lambda each, _status: stored.append(each))

    assert stored == objects[:1]


def test_a_slow_pacs_is_waited_for(objects, pacs):
    """Each answer may take as long as the time-out."""

    def slow(_event):
        time.sleep(0.6)
        return 0x0000

    stored = []
    destination(pacs(slow), timeout_s=10.0).send(objects, lambda each, _: stored.append(each))

    assert stored == objects


def test_a_pacs_that_takes_longer_than_the_time_out_is_tried_again(objects, pacs):
    """It may have stored the object all the same, which is asked before the next attempt."""
    released = threading.Event()

    def never(_event):
        released.wait(20)
        return 0x0000

    port = pacs(never)
    with pytest.raises(DeliveryDeferredError, match="gave no answer"):
        destination(port, timeout_s=0.5).send(objects, lambda _each, _status: None)
    released.set()
