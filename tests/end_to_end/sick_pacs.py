"""A PACS that is sick in its network, in its associations and in its answers.

A real storage SCP stands behind a door. Each connection draws a card: either the door keeps it
for itself, or passes it on to the SCP and disturbs it on the way.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from tests.end_to_end.sick_deck import Deck, Truth

PATIENCE_S = 20.0  #: of a behaviour with a caller that does not go

REJECTED_FOR_NOW = bytes.fromhex("03000000000400020302")
REJECTED_FOR_GOOD = bytes.fromhex("03000000000400010107")
ABORT = bytes.fromhex("07000000000400000200")


@dataclass(frozen=True)
class PacsCard:
    """One behaviour."""

    keeps: Callable[[socket.socket], None] | None = None  #: the door alone
    status: int = 0x0000  #: of every C-STORE
    stores: bool = True
    mute: bool = False  #: it stores, and its answer is lost
    late_s: float = 0.0  #: of its answers
    cut_after: int | None = None  #: bytes of the caller
    takes_nothing: bool = False  #: no presentation context is accepted
    asks_all: bool = False  #: a query is answered with all that it holds, and more


def says(words: bytes) -> Callable[[socket.socket], None]:
    def behave(wire: socket.socket) -> None:
        wire.recv(1 << 16)
        wire.sendall(words)
        stay(wire)

    return behave


def stay(wire: socket.socket) -> None:
    """Read on and say nothing until the caller goes."""
    wire.settimeout(PATIENCE_S)
    while wire.recv(1 << 16):
        pass


def drip(words: bytes) -> Callable[[socket.socket], None]:
    def behave(wire: socket.socket) -> None:
        wire.recv(1 << 16)
        wire.sendall(words)
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            wire.sendall(b"\0")
            time.sleep(0.05)

    return behave


def flood(wire: socket.socket) -> None:
    wire.recv(1 << 16)
    wire.sendall(struct.pack(">BBL", 2, 0, 0xFFFFFFFF))
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        wire.sendall(bytes(1 << 16))


def reset(wire: socket.socket) -> None:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_close(wire: socket.socket) -> None:
    wire.shutdown(socket.SHUT_WR)
    stay(wire)


def reads_nothing(_wire: socket.socket) -> None:
    time.sleep(4.0)


WELL = PacsCard()
CARDS = {
    "well": WELL,
    "hangs up": PacsCard(lambda wire: wire.close()),
    "resets": PacsCard(reset),
    "says nothing": PacsCard(stay),
    "reads nothing": PacsCard(reads_nothing),
    "half closes": PacsCard(half_close),
    "eight bytes": PacsCard(says(struct.pack(">BBL", 2, 0, 100) + b"ab")),
    "drips an answer": PacsCard(drip(struct.pack(">BBL", 2, 0, 100_000))),
    "a PDU of 4 GB": PacsCard(flood),
    "speaks HTTP": PacsCard(says(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)),
    "noise": PacsCard(says(bytes(range(256)) * 8)),
    "an empty acceptance": PacsCard(says(struct.pack(">BBL", 2, 0, 0))),
    "aborts": PacsCard(says(ABORT)),
    "rejects for now": PacsCard(says(REJECTED_FOR_NOW)),
    "rejects for good": PacsCard(says(REJECTED_FOR_GOOD)),
    "out of resources": PacsCard(status=0xA700, stores=False),
    "processing failure": PacsCard(status=0x0110, stores=False),
    "not authorised": PacsCard(status=0x0124, stores=False),
    "an unknown status": PacsCard(status=0x1234, stores=False),
    "stored by another just now": PacsCard(status=0xB00F, stores=False),
    "has it already": PacsCard(status=0x0111),
    "has it already, Azure": PacsCard(status=0xB00E),
    "coerced": PacsCard(status=0xB000),
    "discarded": PacsCard(status=0xB006),
    "cannot understand": PacsCard(status=0xC000, stores=False),
    "does not match": PacsCard(status=0xA900, stores=False),
    "SOP class not supported": PacsCard(status=0x0122, stores=False),
    "stores and is mute": PacsCard(mute=True),
    "answers too late": PacsCard(late_s=2.0),
    "cut in the request": PacsCard(cut_after=100),
    "cut in the object": PacsCard(cut_after=6_000),
    "takes nothing": PacsCard(takes_nothing=True),
    "a query finds too much": PacsCard(asks_all=True),
}
#: Words in the reason of a delivery that ends for good.
FINAL_WORDS = ("0xC000", "0xA900", "0x0122", "accepts none of")


class SickPacs:
    """Listens on ``port``; ``truth`` says what it holds."""

    def __init__(self, seed: int) -> None:
        self.deck = Deck(CARDS, WELL, seed)
        self.truth = Truth()
        self._cards: dict[int, PacsCard] = {}  #: by the port that the door calls from
        self._scp = self._start(AllStoragePresentationContexts)
        self._strict = self._start([])
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        self._door.close()
        self._scp.shutdown()
        self._strict.shutdown()

    def _start(self, contexts):
        entity = AE("PACS")
        entity.maximum_associations = 100
        entity.supported_contexts = contexts
        entity.add_supported_context(Verification)
        if contexts:
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        return entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    def _store(self, event):
        card = self._cards[event.assoc.requestor.port]
        uid = str(event.request.AffectedSOPInstanceUID)
        self.truth.arrived(uid)
        if card.stores:
            self.truth.keep(uid)
        return card.status

    def _find(self, event):
        card = self._cards[event.assoc.requestor.port]
        asked = str(event.identifier.SOPInstanceUID)
        with self.truth.lock:
            held = [uid for uid in self.truth.held if uid == asked or card.asks_all]
        for uid in [*held, *(["1.2.3"] if card.asks_all else [])]:
            found = Dataset()
            found.QueryRetrieveLevel = "IMAGE"
            found.SOPInstanceUID = uid
            yield 0xFF00, found

    def _listen(self) -> None:
        while True:
            try:
                wire, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        card = self.deck.draw()
        with wire, contextlib.suppress(OSError):
            if card.keeps is not None:
                card.keeps(wire)
                return
            behind = self._strict if card.takes_nothing else self._scp
            with socket.socket() as inner:
                inner.bind(("127.0.0.1", 0))
                self._cards[inner.getsockname()[1]] = card
                inner.connect(behind.server_address)
                back = threading.Thread(target=_answers, args=(inner, wire, card), daemon=True)
                back.start()
                _requests(wire, inner, card)
                back.join(PATIENCE_S)


def _requests(wire: socket.socket, inner: socket.socket, card: PacsCard) -> None:
    passed = 0
    while part := wire.recv(1 << 16):
        passed += len(part)
        if card.cut_after is not None and passed > card.cut_after:
            inner.shutdown(socket.SHUT_RDWR)
            return
        inner.sendall(part)
    inner.shutdown(socket.SHUT_WR)


def _answers(inner: socket.socket, wire: socket.socket, card: PacsCard) -> None:
    is_first = True  # the acceptance of the association
    with contextlib.suppress(OSError):
        while part := inner.recv(1 << 16):
            if card.mute and not is_first:
                break
            if not is_first:
                time.sleep(card.late_s)
            wire.sendall(part)
            is_first = False
        wire.shutdown(socket.SHUT_RDWR)
