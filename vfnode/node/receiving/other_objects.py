"""Objects that are sent and not taken: told by caller and class, counted, dropped if a site says
so.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass

import structlog
from pydicom.uid import UID
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext, build_context

from vfnode.node.receiving.ct_contexts import SOP_CLASSES

log = structlog.get_logger()


@dataclass(frozen=True)
class NotTaken:
    """A class that a caller proposed in vain, or whose objects were dropped, and how often."""

    calling_ae_title: str
    sop_class: str  #: by its name; by its UID where it has none
    what: str  #: "refused" or "dropped"
    times: int


class OtherObjects:
    """Counts what is not CT, since the node started."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def counts(self) -> tuple[NotTaken, ...]:
        """Number of objects that were not taken so far, by kind."""
        with self._lock:
            return tuple(NotTaken(*what, times) for what, times in sorted(self._counts.items()))

    def handle_accepted(self, event: Event) -> None:
        """Tell which classes of a new association are not taken: a sender may break off on it."""
        rejected = {context.abstract_syntax for context in event.assoc.rejected_contexts}
        accepted = {context.abstract_syntax for context in event.assoc.accepted_contexts}
        self._note(event, rejected - accepted, "refused")

    def drop(self, event: Event) -> None:
        """An object was taken from a sender only so that it goes on; it is not kept."""
        self._note(event, {event.request.AffectedSOPClassUID}, "dropped")

    def _note(self, event: Event, sop_classes: Set[str], what: str) -> None:
        """Count, and log what is worth a line: the 1st, 2nd, 4th, 8th time and so on."""
        caller = str(event.assoc.requestor.ae_title).strip()
        names = sorted(UID(sop_class).name for sop_class in sop_classes)
        with self._lock:
            self._counts.update((caller, name, what) for name in names)
            times = {name: self._counts[caller, name, what] for name in names}
        worth_a_line = {name: count for name, count in times.items() if count.bit_count() == 1}
        if worth_a_line:
            log.warning(f"classes {what}", calling_ae_title=caller, times=worth_a_line)


def other_contexts() -> list[PresentationContext]:
    """Every storage class that is no CT, in every transfer syntax."""
    return [
        build_context(context.abstract_syntax, list(ALL_TRANSFER_SYNTAXES))
        for context in AllStoragePresentationContexts
        if context.abstract_syntax not in SOP_CLASSES
    ]
