"""A PACS that takes no Comprehensive 3D SR gets the report in a form that it takes."""

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydicom import dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)

from tests.factories import CREATED, make_analysis, make_series
from vfnode.dicom.results.outputs import build_and_write
from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError
from vfnode.node.delivery.cstore import CStoreDestination
from vfnode.node.delivery.object_forms import forms_of, held_form
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.delivery.stow import StowDestination
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.node.testing.storage_peer import StoragePeer

NO_3D = (Comprehensive3DSRStorage,)
ONLY_ENHANCED = (*NO_3D, ComprehensiveSRStorage)
NO_REPORT = (*ONLY_ENHANCED, EnhancedSRStorage)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folder of a real result."""
    folder = tmp_path_factory.mktemp("results")
    build_and_write(make_analysis(), make_series(folder / "ct"), folder / "out", created=CREATED)
    return folder / "out"


def deliver(results, tmp_path, refused):
    """What a peer has that refuses some SOP classes, and what was told of it."""
    peer = StoragePeer(tmp_path / "pacs", refused=refused)
    section = DestinationSection(name="pacs", ae_title="PACS", port=peer.port, timeout_s=5)
    told = []
    try:
        CStoreDestination(section, Settings()).send(
            result_objects(results), lambda each, _status: told.append(each)
        )
    finally:
        peer.stop()
    return [dcmread(path) for path in peer.stored], told


best_forms = pytest.mark.parametrize(
    ("refused", "sent"),
    [
        ((), Comprehensive3DSRStorage),
        (NO_3D, ComprehensiveSRStorage),
        (ONLY_ENHANCED, EnhancedSRStorage),
    ],
)


@best_forms
def test_the_report_goes_in_the_best_form_that_is_accepted(refused, sent, results, tmp_path):
    """Decided by negotiation; the receipt is that of the form that was sent."""
    stored, told = deliver(results, tmp_path, refused)

    kinds = [each.SOPClassUID for each in stored]
    assert sorted(kinds) == sorted([sent, *[SecondaryCaptureImageStorage] * 3])
    assert {each.sop_instance_uid for each in told} == {each.SOPInstanceUID for each in stored}


def test_a_pacs_that_takes_no_report_at_all_gets_the_pictures(results, tmp_path):
    """And a person is told what it refuses."""
    with pytest.raises(DeliveryRefusedError, match="Comprehensive 3D SR"):
        deliver(results, tmp_path, NO_REPORT)

    assert len(list((tmp_path / "pacs").glob("*.dcm"))) == 3


def test_what_was_taken_in_another_form_is_not_sent_again(results):
    """The receipt of any form counts."""
    report = next(
        each for each in result_objects(results) if each.sop_class_uid == Comprehensive3DSRStorage
    )
    forms = forms_of(report)

    assert len({form.sop_instance_uid for form in forms}) == 3
    assert held_form(report, {forms[1].sop_instance_uid}) == forms[1]
    assert held_form(report, set()) is None


def test_other_forms_do_not_stand_among_the_results(results, tmp_path):
    """They are made for one destination and are no further objects for the others."""
    before = result_objects(results)
    deliver(results, tmp_path, NO_3D)

    assert result_objects(results) == before


class WebArchive(HTTPServer):
    """A STOW-RS service that takes no objects of some SOP classes."""

    def __init__(self, refused, refusal):
        super().__init__(("127.0.0.1", 0), WebHandler)
        self.refused, self.refusal = refused, refusal
        self.stored = []


class WebHandler(BaseHTTPRequestHandler):
    server: WebArchive

    def do_POST(self):
        body = b"".join(self.chunks())
        _, _, rest = body.partition(b"\r\n\r\n")
        sent = dcmread(io.BytesIO(rest[: rest.rindex(b"\r\n--")]))
        if sent.SOPClassUID in self.server.refused:
            code, answer = self.server.refusal
        else:
            self.server.stored.append(sent)
            item = {"00081155": {"vr": "UI", "Value": [sent.SOPInstanceUID]}}
            code, answer = 200, {"00081199": {"vr": "SQ", "Value": [item]}}
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def chunks(self):
        """The body of a request of known length, or sent in chunks (RFC 9112, 7.1)."""
        if "Content-Length" in self.headers:
            yield self.rfile.read(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_arguments):
        pass


def failure(reason):
    """What STOW-RS answers where an instance has failed."""
    return {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


def deliver_by_web(results, refused, refusal):
    """What a web archive has, and what was told of it."""
    server = WebArchive(refused, refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    section = DestinationSection(name="web", kind="stow", url=url, timeout_s=5)
    told = []
    try:
        StowDestination(section, Settings()).send(
            result_objects(results), lambda each, _status: told.append(each)
        )
    finally:
        server.shutdown()
        server.server_close()
    return server.stored, told


@best_forms
@pytest.mark.parametrize(
    "refusal",
    [(202, failure(0x0122)), (409, failure(0x0122)), (409, failure(0xA900)), (409, {}), (415, {})],
    ids=["202-0122", "409-0122", "409-A900", "409", "415"],
)
def test_a_web_archive_gets_the_best_form_too(refusal, refused, sent, results):
    """Decided by its answer to each form, however it says that it does not take this kind."""
    stored, told = deliver_by_web(results, refused, refusal)

    kinds = [each.SOPClassUID for each in stored]
    assert sorted(kinds) == sorted([sent, *[SecondaryCaptureImageStorage] * 3])
    assert {each.sop_instance_uid for each in told} == {each.SOPInstanceUID for each in stored}


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((403, {}), DeliveryDeferredError),
        ((409, failure(0x0124)), DeliveryDeferredError),
        ((409, failure(0xA700)), DeliveryDeferredError),
        ((503, {}), DeliveryDeferredError),
    ],
    ids=["403", "409-0124", "409-A700", "503"],
)
def test_a_refusal_for_another_reason_brings_no_other_form(refusal, error, results):
    """Who may not store, or has no room, is not given a poorer report instead."""
    with pytest.raises(error):
        deliver_by_web(results, NO_3D, refusal)


def test_a_web_archive_that_takes_no_report_is_told_of_once(results):
    """With every answer that it gave."""
    with pytest.raises(DeliveryRefusedError, match=r"0x0122.*0x0122.*0x0122"):
        deliver_by_web(results, NO_REPORT, (409, failure(0x0122)))
