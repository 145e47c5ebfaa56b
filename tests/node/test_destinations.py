"""Destinations: the contract of every kind, and what the answers of a PACS mean."""

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage

from tests.end_to_end.peers import free_port
from tests.node.factories import node_settings, write_ct
from tests.node.fake_compute import build
from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError, SettingsError
from vfnode.node.destinations import DESTINATION_KINDS, make_destinations
from vfnode.node.result_object import result_objects
from vfnode.node.settings import Settings
from vfnode.node.settings_destination import DestinationSection
from vfnode.node.testing import StoragePeer


@pytest.fixture
def objects(tmp_path):
    """An SR and an SC, as a job has them."""
    images = write_ct(tmp_path / "ct", 2)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


def section(port, kind="dicom"):
    return DestinationSection(name="pacs", kind=kind, ae_title="PACS", port=port, timeout_s=5)


def make(kind, port):
    return DESTINATION_KINDS[kind](section(port, kind), Settings())


@pytest.mark.parametrize("kind", DESTINATION_KINDS)
def test_every_kind_delivers_all_objects_and_tells_of_each(kind, objects, tmp_path):
    """The receiver has what was sent, and a second sending leaves it at that."""
    peer = StoragePeer(tmp_path / "pacs")
    stored = []
    try:
        for _ in range(2):
            make(kind, peer.port).send(objects, lambda each, status: stored.append((each, status)))
    finally:
        peer.stop()

    assert stored == [(each, 0) for each in objects] * 2
    assert {dcmread(path).SOPInstanceUID for path in peer.stored} == {
        each.sop_instance_uid for each in objects
    }


@pytest.mark.parametrize("kind", DESTINATION_KINDS)
def test_every_kind_defers_when_nobody_is_there(kind, objects):
    """Not reachable now is no refusal."""
    with pytest.raises(DeliveryDeferredError, match="does not answer"):
        make(kind, free_port()).send(objects, lambda _each, _status: None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xA700, DeliveryDeferredError),
        (0x0110, DeliveryDeferredError),
        (0xA900, DeliveryRefusedError),
        (0xC000, DeliveryRefusedError),
        (0x0122, DeliveryRefusedError),
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


@pytest.mark.parametrize("status", [0x0000, 0x0111, 0xB000, 0xB006, 0xB007])
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


def test_an_unknown_kind_is_a_wrong_setting(tmp_path):
    """With the kinds that there are."""
    settings = node_settings(tmp_path, 11112, section(104, kind="carrier-pigeon"))

    with pytest.raises(SettingsError, match=r"destinations\.pacs\.kind.*\['dicom'\]"):
        make_destinations(settings)
