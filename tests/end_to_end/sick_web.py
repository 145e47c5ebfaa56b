"""A DICOMweb service that is sick in its HTTP, in its proxies and in its answers."""

import contextlib
import io
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydicom import dcmread

from tests.end_to_end.sick_deck import Deck, Truth

PATIENCE_S = 20.0
ANOTHER = "1.2.826.0.1.3680043.2.1125.1"

Behaviour = Callable[["Handler", str], None]  #: given a request and the UID of its object


def answer(code: int, body: str = "", kind: str = "application/dicom+json", **headers: str):
    """Always the same answer, that stores nothing."""

    def behave(handler: "Handler", _uid: str) -> None:
        handler.reply(code, body, kind, **headers)

    return behave


def sequence(tag: str, uid: str, **more: int) -> dict[str, object]:
    item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
    item |= {tag: {"vr": "US", "Value": [value]} for tag, value in more.items()}
    return {tag: {"vr": "SQ", "Value": [item]}}


def stored(uid: str, **more: int) -> str:
    return json.dumps(sequence("00081199", uid, **more))


def failed(uid: str, reason: int) -> str:
    return json.dumps(sequence("00081198", uid, **{"00081197": reason}))


def well(handler: "Handler", uid: str) -> None:
    handler.keep(uid)
    handler.reply(200, stored(uid))


def warns(handler: "Handler", uid: str) -> None:
    handler.keep(uid)
    handler.reply(202, stored(uid, **{"00081196": 0xB006}))


def in_xml(handler: "Handler", uid: str) -> None:
    handler.keep(uid)
    attribute = '<DicomAttribute tag="{}" vr="{}">{}</DicomAttribute>'
    value = attribute.format("00081155", "UI", f'<Value number="1">{uid}</Value>')
    items = attribute.format("00081199", "SQ", f'<Item number="1">{value}</Item>')
    handler.reply(200, f"<NativeDicomModel>{items}</NativeDicomModel>", "application/dicom+xml")


def duplicate(reason: int, code: int = 409) -> Behaviour:
    def behave(handler: "Handler", uid: str) -> None:
        handler.keep(uid)
        handler.reply(code, failed(uid, reason))

    return behave


def refuses(reason: int, code: int = 409) -> Behaviour:
    return lambda handler, uid: handler.reply(code, failed(uid, reason))


def plain_conflict(handler: "Handler", uid: str) -> None:
    """It has the object, and says no more than 409."""
    handler.server.truth.keep(uid)
    handler.reply(409)


def names_another(handler: "Handler", _uid: str) -> None:
    handler.reply(200, stored(ANOTHER))


def another_is_there(handler: "Handler", _uid: str) -> None:
    handler.reply(409, failed(ANOTHER, 0x0111))


def both(handler: "Handler", uid: str) -> None:
    """Stored and failed at once."""
    body = sequence("00081199", uid) | sequence("00081198", uid, **{"00081197": 0x0110})
    handler.reply(202, json.dumps(body))


def stores_and_goes(handler: "Handler", uid: str) -> None:
    handler.server.truth.keep(uid)
    handler.wire.shutdown(socket.SHUT_RDWR)


def stores_and_fails(handler: "Handler", uid: str) -> None:
    handler.server.truth.keep(uid)
    handler.reply(500, "<html>Internal error</html>", "text/html")


def goes(handler: "Handler", _uid: str) -> None:
    handler.wire.shutdown(socket.SHUT_RDWR)


def resets(handler: "Handler", _uid: str) -> None:
    handler.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.wire.close()


def raw(words: bytes, then: bytes = b"") -> Behaviour:
    """Some bytes, and then the same ones again and again."""

    def behave(handler: "Handler", _uid: str) -> None:
        handler.wire.sendall(words)
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if then:
                handler.wire.sendall(then)
            time.sleep(0.05 if len(then) < 100 else 0)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n"
CARDS: dict[str, Behaviour] = {
    "well": well,
    "warns": warns,
    "answers in XML": in_xml,
    "has it already": duplicate(0x0111),
    "has it already, Azure": duplicate(45070),
    "has it already, 202": duplicate(0x0111, 202),
    "409 and no more": plain_conflict,
    "409 of another": another_is_there,
    "names another": names_another,
    "stored and failed": both,
    "out of resources": refuses(0xA700, 202),
    "processing failure": refuses(0x0110),
    "cannot understand": refuses(0xC000),
    "SOP class not supported": refuses(0x0122, 202),
    "an empty 200": answer(200),
    "an empty object": answer(200, "{}"),
    "an empty sequence": answer(200, '{"00081199": {"vr": "SQ", "Value": []}}'),
    "a list of nulls": answer(200, "[null, 1]"),
    "HTML": answer(200, "<html>Welcome</html>", "text/html"),
    "broken XML": answer(200, "<NativeDicomModel>", "application/dicom+xml"),
    "204": answer(204),
    "301": answer(301, Location="/elsewhere"),
    "302 to a login": answer(302, Location="https://user:secret@login.example/?token=x"),
    "307": answer(307, Location="http://127.0.0.1:1/dicom-web/studies"),
    "400": answer(400),
    "401": answer(401),
    "403": answer(403),
    "404": answer(404),
    "407": answer(407),
    "413": answer(413),
    "415": answer(415),
    "429": answer(429, **{"Retry-After": "1"}),
    "500": answer(500),
    "502": answer(502, "<html>Bad gateway</html>", "text/html"),
    "503": answer(503, **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "stores and goes": stores_and_goes,
    "stores and fails": stores_and_fails,
    "goes": goes,
    "resets": resets,
    "eight bytes": raw(b"HTTP/1.1"),
    "drips headers": raw(HEAD, b"X-A: b\r\n"),
    "drips a body": raw(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "an endless body": raw(HEAD + b"\r\n", bytes(1 << 20)),
    "a short body": raw(HEAD + b"Content-Length: 100\r\n\r\n{}"),
    "broken chunks": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "no HTTP": raw(b"\x02\x00\x00\x00\x00\x10" * 10),
}
#: Words in the reason of a delivery that ends for good.
FINAL_WORDS = ("0xC000", "0x0122", "HTTP 400", "HTTP 409", "HTTP 413", "HTTP 415")


class SickWeb(ThreadingHTTPServer):
    """Listens on ``server_port``; ``truth`` says what it holds."""

    daemon_threads = True

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.deck = Deck(CARDS, well, seed)
        self.truth = Truth()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dicom-web"

    def handle_error(self, *_arguments) -> None:
        """A caller that goes is what is tried here."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: SickWeb

    @property
    def wire(self) -> socket.socket:
        wire: socket.socket = self.connection
        return wire

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        _, _, rest = body.partition(b"\r\n\r\n")
        part = dcmread(io.BytesIO(rest[: rest.rindex(b"\r\n--")]), stop_before_pixels=True)
        uid = str(part.SOPInstanceUID)
        self.server.truth.arrived(uid)
        with contextlib.suppress(OSError):
            self.server.deck.draw()(self, uid)

    def do_GET(self) -> None:
        """A search: by truth."""
        asked = re.findall(r"SOPInstanceUID=([0-9.]+)", self.path)
        with self.server.truth.lock:
            held = [uid for uid in asked if uid in self.server.truth.held]
        found = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in held]
        self.reply(200, json.dumps(found))

    def keep(self, uid: str) -> None:
        self.server.truth.keep(uid)

    def reply(
        self, code: int, body: str = "", kind: str = "application/dicom+json", **headers: str
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments) -> None:
        pass
