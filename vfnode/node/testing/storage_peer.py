"""Fakes of what stands around a node, shipped so that sites can try their set-up.

``StoragePeer`` is a storage SCP that keeps what it gets: the PACS of a demonstration where
no real one is installed, and the peer of tests that need one to misbehave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification

from vfnode.node.dimse import keep_identifiers_out_of_logs, send_at_once
from vfnode.node.receiving.storage_scp import SUCCESS, handle_echo


class StoragePeer:
    """A storage SCP on loopback that writes every object to a folder.

    Args:
        folder: where ``<SOP instance UID>.dcm`` is written.
        ae_title: its AE title.
        port: where it listens; 0 takes a free one.
        answer: status for an object, by its SOP instance UID; Success by default.
        refused: SOP class UIDs for which it accepts no presentation context.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str = "PACS",
        port: int = 0,
        answer: Callable[[str], int] = lambda _uid: SUCCESS,
        refused: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._answer = answer
        self._lock = threading.Lock()
        self.requests: list[str] = []  #: SOP instance UID of every C-STORE, in order
        folder.mkdir(parents=True, exist_ok=True)
        keep_identifiers_out_of_logs()
        entity = AE(ae_title)
        entity.supported_contexts = [
            context
            for context in AllStoragePresentationContexts
            if context.abstract_syntax not in refused
        ]
        entity.add_supported_context(Verification)
        handlers = [
            (evt.EVT_CONN_OPEN, send_at_once),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, handle_echo),
        ]
        self._server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        self._listens = True
        self.port: int = self._server.server_address[1]

    def stop(self) -> None:
        """Listen no more; again has no effect."""
        if self._listens:
            self._listens = False
            self._server.shutdown()

    @property
    def stored(self) -> list[Path]:
        """The files that it has kept."""
        return sorted(self._folder.glob("*.dcm"))

    def _store(self, event: Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        with self._lock:
            self.requests.append(uid)
        status = self._answer(uid)
        if status == SUCCESS:
            (self._folder / f"{uid}.dcm").write_bytes(event.encoded_dataset())
        return status
