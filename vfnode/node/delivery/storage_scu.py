"""The sending side: objects by C-STORE to one peer, and what its answers mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pynetdicom.association import Association

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryRefusedError,
    UnreadableInputError,
)
from vfnode.node.delivery.answers import Verdict, error_of, meaning_of_status
from vfnode.node.delivery.association import Peer, association

DAY_S = 86400.0


def send_files(
    paths: Sequence[Path],
    host: str,
    port: int,
    called_ae: str,
    calling_ae: str,
    on_progress: Callable[[int, int], None] = lambda _sent, _total: None,
) -> None:
    """Send DICOM files in one association, in the given order, past those that are refused.

    Args:
        on_progress: called after each file with the number sent and the total.

    Raises:
        UnreadableInputError: a file is no DICOM file.
        DeliveryDeferredError: the peer cannot be reached or cannot take it now.
        DeliveryRefusedError: the peer refuses some; all others were stored.
    """
    peer = Peer(called_ae, host, port, calling_ae, limit_s=DAY_S)
    contexts = {_context_of(path) for path in paths}
    refusals: Counter[str] = Counter()
    with association(peer, contexts) as opened:
        for sent, path in enumerate(paths, start=1):
            try:
                store(opened, dcmread(path), peer)
            except DeliveryRefusedError as error:
                refusals[str(error)] += 1
            on_progress(sent, len(paths))
    if refusals:
        told = "; ".join(f"{reason} ({count})" for reason, count in refusals.items())
        stored = len(paths) - refusals.total()
        raise DeliveryRefusedError(f"{stored} of {len(paths)} instances stored: {told}")


def store(opened: Association, dataset: Dataset, peer: Peer) -> int:
    """Send one object.

    Returns:
        The status with which the peer stored it.

    Raises:
        DeliveryDeferredError: the connection broke, or the peer cannot store it now.
        FormRefusedError: the peer does not take the object in this form.
        DeliveryRefusedError: the peer takes it in no form.
    """
    if not opened.is_established:
        raise DeliveryDeferredError(f"{peer} closed the association")
    kind = UID(dataset.SOPClassUID)
    if kind not in {context.abstract_syntax for context in opened.accepted_contexts}:
        raise DeliveryRefusedError(f"{peer} accepts no presentation context for {kind.name}")
    try:
        response = opened.send_c_store(dataset)
    except ValueError as error:  # no accepted transfer syntax fits, or it cannot be encoded
        raise DeliveryRefusedError(f"{kind.name} cannot be sent to {peer}: {error}") from error
    except RuntimeError as error:
        raise DeliveryDeferredError(f"{peer} closed the association") from error
    if "Status" not in response:
        raise DeliveryDeferredError(f"{peer} gave no answer to a C-STORE request")
    status = int(response.Status)
    meaning = meaning_of_status(status)
    if meaning.verdict is not Verdict.STORED:
        raise error_of(meaning, str(peer))
    return status


def _context_of(path: Path) -> tuple[str, str]:
    try:
        meta = dcmread(path, stop_before_pixels=True, specific_tags=[]).file_meta
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError) as error:
        raise UnreadableInputError(f"{path.name} is not a DICOM file") from error
