"""The destination kind 'dicom': every object of a job by C-STORE, in one association."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
    Verification,
)

from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.answers import meaning_of_status
from vfnode.node.delivery.archive_query import held_by_archive
from vfnode.node.delivery.association import Peer, association
from vfnode.node.delivery.object_forms import forms_of
from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.delivery.sending import send_each
from vfnode.node.delivery.storage_scu import store
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.node.tls import client_context

#: Kinds of object in every result; what else a site may want has other forms or is optional.
SENT = (Comprehensive3DSRStorage, SecondaryCaptureImageStorage)
ECHO_S = 10.0  #: that a person waits for an answer
SUCCESS = 0x0000


def peer_of(section: DestinationSection, settings: Settings) -> Peer:
    """Whom a destination's settings mean; certificates are read anew, as they are renewed.

    Raises:
        SettingsError: TLS is on and its files cannot be used.
    """
    tls = None
    if section.tls:
        tls = client_context(settings.tls, check_host=section.tls_check_host)
    return Peer(
        called_ae_title=section.ae_title,
        host=section.host,
        port=section.port,
        calling_ae_title=settings.node.ae_title,
        timeout_s=section.timeout_s,
        limit_s=section.limit_s,
        tls=tls,
    )


class CStoreDestination:
    """A PACS, a router or a workstation that takes C-STORE.

    Args:
        section: its settings.
        settings: those of the node: its AE title and certificates.

    Raises:
        SettingsError: TLS is on and its files cannot be used.
    """

    def __init__(self, section: DestinationSection, settings: Settings) -> None:
        self._section, self._settings = section, settings
        peer_of(section, settings)  # so that a wrong file is told at the start

    def send(self, objects: Sequence[ResultObject], on_stored: OnStored) -> None:
        """Send objects in this order; one that is refused does not hold up the others.

        A report goes in the first of its forms that the PACS accepts and takes, and that form
        is told of.

        Raises:
            DeliveryDeferredError: the PACS does not answer or cannot take more now.
            DeliveryRefusedError: it will never take some of the objects.
        """
        peer = peer_of(self._section, self._settings)
        contexts = {
            (form.sop_class_uid, form.transfer_syntax_uid)
            for result in objects
            for form in forms_of(result)
        }
        with association(peer, contexts) as opened:
            accepted = {str(context.abstract_syntax) for context in opened.accepted_contexts}

            def forms(result: ResultObject) -> Sequence[ResultObject]:
                return [f for f in forms_of(result) if f.sop_class_uid in accepted] or [result]

            send_each(
                objects, forms, lambda form: store(opened, dcmread(form.path), peer), on_stored
            )

    def held(self, objects: Sequence[ResultObject]) -> set[str]:
        """What it has, by C-FIND.

        Raises:
            DeliveryDeferredError: it does not answer now.
            DeliveryRefusedError: it offers no query.
        """
        return held_by_archive(peer_of(self._section, self._settings), objects)

    def echo(self) -> str:
        """C-ECHO, in an association that proposes the objects of a result.

        Returns:
            The kinds of object for which it accepts no presentation context.

        Raises:
            DeliveryError: it does not answer, or lets the node not in.
        """
        peer = peer_of(self._section, self._settings)
        peer = replace(peer, timeout_s=min(peer.timeout_s, ECHO_S), limit_s=3 * ECHO_S)
        syntax = str(ExplicitVRLittleEndian)
        kinds = {str(kind) for kind in SENT}
        with association(peer, {(kind, syntax) for kind in {str(Verification), *kinds}}) as opened:
            accepted = {str(context.abstract_syntax) for context in opened.accepted_contexts}
            status = opened.send_c_echo() if str(Verification) in accepted else None
        if status is not None and status.get("Status") != SUCCESS:
            told = meaning_of_status(status.Status).words if "Status" in status else "nothing"
            raise DeliveryDeferredError(f"{peer} answered {told} to C-ECHO")
        refused = sorted(UID(kind).name for kind in kinds - accepted)
        return f"accepts no {', no '.join(refused)}" if refused else ""
