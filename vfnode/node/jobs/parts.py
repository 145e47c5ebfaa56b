"""Services that every workflow step uses; wired in app.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.destinations import Destination
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.settings.settings import Settings


class ComputeService(Protocol):
    """Service that computes and builds: the child process, or a fake."""

    trouble: str  #: why nothing can be computed now; empty where it can

    def look(self) -> None:
        """Make sure that something can be computed, where nothing is just now."""

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer of the child; see :meth:`vfnode.node.compute.client.ComputeClient.ask`."""

    def stop(self) -> None:
        """Compute nothing more; what waits for an answer is let go of."""


@dataclass(frozen=True)
class Parts:
    """The parts of one node."""

    settings: Settings
    inbox: Inbox
    ledger: Ledger
    compute: ComputeService
    destinations: Mapping[str, Destination]
    commitments: Commitments
