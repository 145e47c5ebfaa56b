"""The conformance statements say what the program does."""

import re
import time

import pytest
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
)
from pynetdicom import AE

from tests.docs.tables import STATEMENTS, TABLES, sent_classes, with_tables
from tests.factories import CREATED, make_analysis, make_series
from tests.node.factories import node_settings
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.uids import IMPLEMENTATION_CLASS_UID
from vfnode.node.delivery.object_forms import forms_of
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.ct_contexts import SOP_CLASSES, TRANSFER_SYNTAXES
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.testing.ports import free_port

CONFORMANCE = STATEMENTS[0].read_text("utf-8")


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.name)
def test_the_tables_are_those_of_the_program(path):
    """Run ``python -m tests.docs.tables`` after a change."""
    text = path.read_text("utf-8")

    assert with_tables(text) == text


def test_every_table_is_printed():
    """None is made for nobody."""
    printed = set(re.findall(r"<!-- table: (\w+) -->", CONFORMANCE))

    assert printed == set(TABLES)


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    """A dead link is a broken promise."""
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists()


def test_a_running_node_accepts_what_the_statement_lists_and_nothing_else(tmp_path):
    """Each SOP class in each transfer syntax; no MR, no lossy CT."""
    settings = node_settings(tmp_path, free_port())
    node = StorageSCP(
        settings, Inbox(tmp_path / "inbox", 0), Completeness(QuietRule(1.0), time.monotonic)
    )
    caller = AE("TEST")
    for sop_class in SOP_CLASSES:
        for syntax in (*TRANSFER_SYNTAXES, JPEGBaseline8Bit, JPEG2000):
            caller.add_requested_context(sop_class, [syntax])
    caller.add_requested_context(MRImageStorage, [ExplicitVRLittleEndian])
    node.start()
    try:
        association = caller.associate("127.0.0.1", settings.node.port, ae_title="VFNODE")
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
        }
        implementation = association.acceptor.implementation_class_uid
        association.release()
    finally:
        node.stop(1.0)

    assert accepted == {(str(a), str(b)) for a in SOP_CLASSES for b in TRANSFER_SYNTAXES}
    assert all(f"| {uid} |" in CONFORMANCE for pair in accepted for uid in pair)
    assert implementation == IMPLEMENTATION_CLASS_UID
    assert IMPLEMENTATION_CLASS_UID in CONFORMANCE


def test_the_node_sends_only_what_the_statement_lists(tmp_path):
    """With every object switched on, in every form."""
    every = ResultSettings(objects={output.name: "always" for output in OUTPUTS})
    build_and_write(make_analysis(), make_series(tmp_path / "ct"), tmp_path / "out", every, CREATED)

    proposed = {
        form.sop_class_uid for each in result_objects(tmp_path / "out") for form in forms_of(each)
    }

    assert proposed == {str(each) for each in sent_classes()}
    assert UID(KeyObjectSelectionDocumentStorage) in proposed
