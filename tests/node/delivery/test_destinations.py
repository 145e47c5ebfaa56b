"""Destinations: the contract of every kind, and what the answers of a PACS mean."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
)

from tests.end_to_end.peers import Orthanc
from tests.node.factories import write_ct
from tests.node.fake_compute import build
from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError, SettingsError
from vfnode.node.delivery.answers import Verdict, meaning_of_status
from vfnode.node.delivery.destinations import make_destination
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.settings.destination import KINDS, DestinationSection
from vfnode.node.settings.settings import Settings, load_settings
from vfnode.node.testing.orthanc import PROGRAM
from vfnode.node.testing.storage_peer import StoragePeer

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture
def objects(tmp_path):
    """An SR and an SC, as a job has them."""
    images = write_ct(tmp_path / "ct", 2)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


def section(port, kind="dicom", ae_title="PACS"):
    return DestinationSection(name="pacs", kind=kind, ae_title=ae_title, port=port, timeout_s=5)


def make(kind, port):
    return make_destination(section(port, kind), Settings())


@contextmanager
def share(folder):
    """A folder as on a file server: its section, what it holds, and how it goes away."""
    place = folder / "share"
    place.mkdir()
    yield (
        DestinationSection(name="share", kind="folder", folder=place),
        lambda: [dcmread(path).SOPInstanceUID for path in place.glob("*/*.dcm")],
        lambda: place.rename(folder / "not mounted"),
    )


@contextmanager
def orthanc(folder, section_of):
    """A real archive: its section, what it holds, and how it goes away."""
    if not (PROGRAM and DICOMWEB.exists()):
        pytest.skip("apt-get install orthanc orthanc-dicomweb")
    pacs = Orthanc(folder / "orthanc", Plugins=[str(DICOMWEB)])
    pacs.start()
    yield (
        section_of(pacs),
        lambda: [each["SOPInstanceUID"] for each in pacs.instances()],
        pacs.stop,
    )
    pacs.stop()


def by_dicom(pacs):
    return section(pacs.dicom_port, ae_title="ORTHANC")


def by_web(pacs):
    return DestinationSection(name="web", kind="stow", url=f"{pacs.url}/dicom-web")


#: Of each kind, a receiver for the contract.
RECEIVERS: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {
    "folder": share,
    "dicom": partial(orthanc, section_of=by_dicom),
    "stow": partial(orthanc, section_of=by_web),
}


@pytest.fixture
def receiver(request, tmp_path):
    """A receiver of the kind."""
    with RECEIVERS[request.param](tmp_path) as made:
        assert made[0].kind == request.param
        yield made


each_kind = pytest.mark.parametrize("receiver", [kind.name for kind in KINDS], indirect=True)


@each_kind
def test_every_kind_delivers_all_objects_and_tells_of_each(receiver, objects):
    """The receiver has what was sent, and a second sending leaves it at that."""
    made, held, _go_away = receiver
    stored = []
    for _ in range(2):
        destination = make_destination(made, Settings())
        destination.send(objects, lambda each, status: stored.append((each, status)))

    assert [each for each, _ in stored] == objects * 2
    assert all(meaning_of_status(status).verdict is Verdict.STORED for _, status in stored)
    assert sorted(held()) == sorted(each.sop_instance_uid for each in objects)


@each_kind
def test_every_kind_is_asked_what_it_has(receiver, objects):
    """Before an object goes a second time: only what has arrived is named."""
    made, _held, _go_away = receiver
    destination = make_destination(made, Settings())
    destination.send(objects[:1], lambda _each, _status: None)

    assert destination.held(objects) == {objects[0].sop_instance_uid}


@each_kind
def test_every_kind_answers_an_echo_and_gets_nothing(receiver):
    """Whether it is there is asked without sending; a receiver that is gone says why."""
    made, held, go_away = receiver
    destination = make_destination(made, Settings())

    assert destination.echo() == ""
    assert held() == []
    go_away()
    with pytest.raises(DeliveryDeferredError, match=r"does not answer|there is no folder"):
        destination.echo()


@each_kind
def test_every_kind_defers_when_nobody_is_there(receiver, objects):
    """Not reachable now is no refusal."""
    made, _held, go_away = receiver
    destination = make_destination(made, Settings())
    go_away()

    with pytest.raises(DeliveryDeferredError, match=r"does not answer|there is no folder"):
        destination.send(objects, lambda _each, _status: None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xA700, DeliveryDeferredError),
        (0x0110, DeliveryDeferredError),
        (0xA900, DeliveryRefusedError),
        (0xC000, DeliveryRefusedError),
        (0x0122, DeliveryRefusedError),
        (0x0124, DeliveryDeferredError),
        (0xB00F, DeliveryDeferredError),
    ],
)
def test_the_status_of_the_pacs_decides_whether_to_try_again(status, error, objects, tmp_path):
    """Out of resources is for later; a refusal is for a person."""
    peer = StoragePeer(tmp_path / "pacs", answer=lambda _uid: status)
    try:
        with pytest.raises(error, match=f"0x{status:04X}"):
            make("dicom", peer.port).send(objects, lambda _each, _status: None)
    finally:
        peer.stop()


@pytest.mark.parametrize("status", [0x0000, 0x0111, 45070, 0xB000, 0xB006, 0xB007])
def test_warnings_and_duplicates_are_stored_objects(status, objects, tmp_path):
    """0x0111 is what some archives say to a resend."""
    peer = StoragePeer(tmp_path / "pacs", answer=lambda _uid: status)
    stored = []
    try:
        make("dicom", peer.port).send(objects, lambda _each, got: stored.append(got))
    finally:
        peer.stop()

    assert stored == [status, status]


def test_a_refused_object_does_not_hold_up_the_others(objects, tmp_path):
    """A PACS without SR still gets the picture."""
    refused = objects[0].sop_instance_uid
    peer = StoragePeer(tmp_path / "pacs", answer=lambda uid: 0xC000 if uid == refused else 0)
    stored = []
    try:
        with pytest.raises(DeliveryRefusedError):
            make("dicom", peer.port).send(objects, lambda each, _status: stored.append(each))
    finally:
        peer.stop()

    assert stored == objects[1:]


def test_a_pacs_that_takes_no_sr_is_named_with_what_it_does_not_take(objects):
    """'No presentation context' says which kind of object."""
    entity = AE("PACS")
    entity.add_supported_context(SecondaryCaptureImageStorage)
    handlers = [(evt.EVT_C_STORE, lambda _event: 0)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        with pytest.raises(DeliveryRefusedError, match="Comprehensive 3D SR Storage"):
            make("dicom", server.server_address[1]).send(objects, lambda _each, _status: None)
    finally:
        server.shutdown()


def test_a_pacs_that_takes_implicit_vr_only_gets_implicit_vr(objects):
    """Objects stand in explicit VR on disk and are encoded as the PACS wants them."""
    entity = AE("PACS")
    for each in objects:
        entity.add_supported_context(each.sop_class_uid, "1.2.840.10008.1.2")
    got = []

    def keep(event):
        got.append(event.dataset.SOPInstanceUID)
        return 0

    handlers = [(evt.EVT_C_STORE, keep)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        make("dicom", server.server_address[1]).send(objects, lambda _each, _status: None)
    finally:
        server.shutdown()

    assert got == [each.sop_instance_uid for each in objects]


def test_a_pacs_that_offers_no_query_says_so(objects, tmp_path):
    """The sender then sends again: the same UID leaves one object there."""
    peer = StoragePeer(tmp_path / "pacs")
    try:
        with pytest.raises(DeliveryRefusedError, match=r"accepts none of .*FIND"):
            make("dicom", peer.port).held(objects)
    finally:
        peer.stop()


def test_an_archive_that_cannot_search_now_says_so(objects):
    """Its answer is no proof that it lacks the object."""
    entity = AE("PACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)

    def busy(_event):
        yield 0xA700, None

    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, busy)]
    )
    try:
        with pytest.raises(DeliveryDeferredError, match="cannot search now"):
            make("dicom", server.server_address[1]).held(objects)
    finally:
        server.shutdown()


def test_an_unknown_kind_is_a_wrong_setting(tmp_path):
    """With the kinds that there are."""
    path = tmp_path / "vfnode.toml"
    path.write_text('[[destinations]]\nname = "loft"\nkind = "carrier-pigeon"\n')

    with pytest.raises(SettingsError, match=r"kind.*'carrier-pigeon' is none of dicom, stow"):
        load_settings(path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_needs(kind, tmp_path):
    """A destination without its address is a wrong setting, not a delivery that fails."""
    path = tmp_path / "vfnode.toml"
    path.write_text(f'[[destinations]]\nname = "pacs"\nkind = "{kind.name}"\n')

    with pytest.raises(SettingsError, match=f"{kind.needs} must be given for kind '{kind.name}'"):
        load_settings(path)


class WebArchive(HTTPServer):
    """A DICOMweb service that answers every request alike."""

    code = 200
    body: dict[str, object] = {}  # noqa: RUF012  a test sets it whole
    authorization: str | None = None


class WebHandler(BaseHTTPRequestHandler):
    server: WebArchive

    def do_POST(self):
        body = json.dumps(self.server.body).encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.authorization = self.headers.get("Authorization")
        self.send_response(self.server.code)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def web():
    server = WebArchive(("127.0.0.1", 0), WebHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def web_section(web, **more):
    url = f"http://127.0.0.1:{web.server_port}/dicom-web"
    return DestinationSection(name="web", kind="stow", url=url, timeout_s=5, **more)


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (503, {}, DeliveryDeferredError),
        (429, {}, DeliveryDeferredError),
        *[(code, {}, DeliveryDeferredError) for code in (301, 302, 401, 403, 404, 407, 500, 502)],
        (400, {}, DeliveryRefusedError),
        (202, {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}},
         DeliveryDeferredError),
        (202, {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xC000]}}]}},
         DeliveryRefusedError),
        (200, {}, DeliveryDeferredError),
    ],
)  # fmt: skip
def test_the_answer_of_a_web_archive_decides_whether_to_try_again(code, body, error, web, objects):
    """By the HTTP status, and by the failure reason that stands in a success."""
    web.code, web.body = code, body

    with pytest.raises(error):
        make_destination(web_section(web), Settings()).send(objects, lambda *_: None)


def test_a_password_comes_from_its_file(web, objects, tmp_path):
    """And is in no settings."""
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    made = web_section(web, user="vfnode", password_file=secret)
    web.code = 503

    with pytest.raises(DeliveryDeferredError) as caught:
        make_destination(made, Settings()).send(objects, lambda *_: None)

    assert web.authorization == "Basic dmZub2RlOm9wZW4gc2VzYW1l"
    assert "sesame" not in str(caught.value)
