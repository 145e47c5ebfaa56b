"""A PACS that takes no Comprehensive 3D SR gets the report in a form that it takes."""

import pytest
from pydicom import dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)

from tests.factories import CREATED, make_analysis, make_series
from vfnode.dicom.outputs import build_and_write
from vfnode.errors import DeliveryRefusedError
from vfnode.node.destination_cstore import CStoreDestination
from vfnode.node.object_forms import forms_of, held_form
from vfnode.node.result_object import result_objects
from vfnode.node.settings import Settings
from vfnode.node.settings_destination import DestinationSection
from vfnode.node.testing import StoragePeer

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


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        ((), Comprehensive3DSRStorage),
        (NO_3D, ComprehensiveSRStorage),
        (ONLY_ENHANCED, EnhancedSRStorage),
    ],
)
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
