"""How a web archive is called: within a time, up to a size, and as the settings say."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.node.factories import write_ct
from tests.node.fake_compute import build
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.answers import Verdict, meaning_of_http, meaning_of_status
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.delivery.stow import StowDestination
from vfnode.node.delivery.web import WebAnswer
from vfnode.node.delivery.web_answers import found_instances, store_report
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.receiving import TLSSection
from vfnode.node.settings.settings import Settings


@pytest.fixture
def objects(tmp_path):
    images = write_ct(tmp_path / "ct", 2)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


def destination(url, tls=None, **more):
    section = DestinationSection(name="web", kind="stow", url=url, tls=tls is not None, **more)
    return StowDestination(section, Settings(tls=tls or TLSSection()))


class Listener(HTTPServer):
    """Counts those who call."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.callers = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_arguments):
        pass


class Answering(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.callers.append(self.path)
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def listen():
    made = []

    def start():
        made.append(Listener())
        return made[-1]

    yield start
    for server in made:
        server.shutdown()
        server.server_close()


def test_a_proxy_of_the_environment_is_not_used(listen, objects, monkeypatch):
    """The objects go where the settings say, and to nobody else."""
    archive, proxy = listen(), listen()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")

    with pytest.raises(DeliveryDeferredError, match="503"):
        destination(f"http://127.0.0.1:{archive.server_port}/web").send(objects, lambda *_: None)

    assert archive.callers == ["/web/studies"]  # what is for later is not asked for each object
    assert proxy.callers == []


def certificate(folder, name):
    """A certificate that vouches for itself, for this machine."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    return key, cert


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_an_authority_of_the_environment_is_not_believed(listen, objects, monkeypatch, tmp_path):
    """A stranger's server, which only REQUESTS_CA_BUNDLE vouches for, gets nothing."""
    key, cert = certificate(tmp_path, "stranger")
    own_key, own_cert = certificate(tmp_path, "node")
    stranger = listen()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    stranger.socket = context.wrap_socket(stranger.socket, server_side=True)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(cert))
    trusting_nobody_else = TLSSection(certificate=own_cert, private_key=own_key, trusted=own_cert)
    url = f"https://127.0.0.1:{stranger.server_port}/web"

    for tls in (trusting_nobody_else, None):
        with pytest.raises(DeliveryDeferredError, match="fails at TLS"):
            destination(url, tls).send(objects, lambda *_: None)

    assert stranger.callers == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://no-such-host.invalid/web", "cannot be resolved"),
        ("http://pacs..hospital/web", "cannot be a host name"),
    ],
)
def test_a_name_that_does_not_resolve_waits(url, words, objects):
    """A name server may be away for a second."""
    with pytest.raises(DeliveryDeferredError, match=words):
        destination(url).send(objects, lambda *_: None)


def test_a_dripping_answer_ends_at_the_time_of_the_attempt(objects):
    """Whatever comes, and however often: the connection is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            wire, _ = listener.accept()
            with wire:
                while True:
                    try:
                        wire.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/web"
        began_s = time.monotonic()
        with pytest.raises(DeliveryDeferredError, match="within 2 s"):
            destination(url, timeout_s=5, attempt_timeout_s=2).send(objects, lambda *_: None)

    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("120", 120.0), ("", 0.0), ("soon", 0.0), ("-5", 0.0), ("99999999999", 86400.0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_the_time_that_an_archive_asks_for_is_read(told, seconds):
    """In seconds or as a date; a day at the longest."""
    assert WebAnswer(503, {"retry-after": told}, b"").retry_after_s == seconds


XML = (
    '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
    '<DicomAttribute tag="00081199" vr="SQ"><Item number="1">'
    '<DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.3</Value></DicomAttribute>'
    "</Item></DicomAttribute></NativeDicomModel>"
)


@pytest.mark.parametrize(
    ("body", "kind", "stored"),
    [
        (XML, "application/dicom+xml", ["1.2.3"]),
        ('{"00081199": {"Value": [{"00081155": {"Value": ["1.2.3"]}}]}}', "", ["1.2.3"]),
        ('[{"00081199": {"Value": [{"00081155": {"Value": ["1.2.3"]}}]}}]', "", ["1.2.3"]),
        ('{"00081199": {"Value": [null, 1, {}]}}', "", ["", "", ""]),
        ("<html>", "text/html", []),
        ("[[[", "", []),
        ("", "", []),
    ],
)
def test_an_answer_says_what_it_says_in_either_form(body, kind, stored):
    """What is none of both says nothing."""
    assert [uid for uid, _ in store_report(body.encode(), kind).stored] == stored


def test_a_search_finds_what_it_names():
    """An answer about another instance is none about this one."""
    body = b'[{"00080018": {"vr": "UI", "Value": ["1.2.3"]}}, {"00080018": {}}]'

    assert found_instances(body, "application/dicom+json") == {"1.2.3"}


@pytest.mark.parametrize("code", [301, 302, 401, 403, 404, 407, 408, 418, 429, 500, 503, 599])
def test_most_refusals_by_http_are_for_later(code):
    """A proxy that restarts or a token that ran out is no word about the object."""
    assert meaning_of_http(code).verdict is Verdict.LATER


@pytest.mark.parametrize("status", [0x0000, 0x0111, 45070, 0xB000, 0xB006, 0xB007])
def test_already_stored_is_stored_in_every_dialect(status):
    """One table for C-STORE and STOW-RS."""
    assert meaning_of_status(status).verdict is Verdict.STORED
