"""Asks an archive which objects it has: by C-FIND (PS3.4 annex C), one instance a question.

Between an archive's Success and the receipt in the node's database a node can be killed. An
object whose sending was begun and has no receipt is therefore asked for before it is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.association import Peer, association
from vfnode.node.delivery.result_object import ResultObject

SUCCESS = 0x0000
PENDING = {0xFF00, 0xFF01}


def held_by_archive(peer: Peer, objects: Sequence[ResultObject]) -> set[str]:
    """SOP instance UIDs of those objects that an archive has.

    Raises:
        DeliveryDeferredError: it does not answer, or cannot search now.
        DeliveryRefusedError: it offers no query.
    """
    model = StudyRootQueryRetrieveInformationModelFind
    with association(peer, {(str(model), str(ImplicitVRLittleEndian))}) as opened:
        return {
            result.sop_instance_uid for result in objects if _has(opened, identifier(result), peer)
        }


def identifier(result: ResultObject) -> Dataset:
    """What names one object in a query: the unique keys of all levels (PS3.4 C.6.2.1)."""
    uids = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    found = dcmread(result.path, specific_tags=list(uids), stop_before_pixels=True)
    wanted = Dataset()
    for keyword in uids:
        setattr(wanted, keyword, found[keyword].value)
    wanted.QueryRetrieveLevel = "IMAGE"
    return wanted


def _has(opened: Association, wanted: Dataset, peer: Peer) -> bool:
    if not opened.is_established:
        raise DeliveryDeferredError(f"{peer} closed the association")
    is_there = False
    answers = opened.send_c_find(wanted, StudyRootQueryRetrieveInformationModelFind)
    for status, found in answers:
        if "Status" not in status or status.Status not in {SUCCESS, *PENDING}:
            raise DeliveryDeferredError(f"{peer} cannot search now")
        # An archive may leave out a key that it does not know, and answer with all it has.
        is_there |= found is not None and found.get("SOPInstanceUID") == wanted.SOPInstanceUID
    return is_there
