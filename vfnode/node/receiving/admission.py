"""Admission of callers: the allow list, and the AE title that they must call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from pynetdicom.events import Event

from vfnode.node.settings.settings import Settings

log = structlog.get_logger()


class Refusal(Enum):
    """Diagnostic of an A-ASSOCIATE-RJ, rejected permanent by the service user (PS3.8 9.3.4)."""

    CALLER = 3  #: calling AE title not recognised, at this address
    CALLED = 7  #: called AE title not recognised


REJECTED_PERMANENT, SERVICE_USER = 1, 1


@dataclass(frozen=True)
class Caller:
    """One line of the allow list."""

    ae_title: str  #: or * for any
    network: IPv4Network | IPv6Network

    def matches(self, ae_title: str, address: IPv4Address | IPv6Address) -> bool:
        """True if this line lets such a caller in."""
        return self.ae_title in ("*", ae_title) and address in self.network


class Admission:
    """The rules of one node about who may call it."""

    def __init__(self, settings: Settings) -> None:
        self._callers = [_caller(line) for line in settings.receiving.allowed_callers]
        self._called = settings.node.ae_title if settings.receiving.check_called_ae_title else None

    def may_connect(self, address: str) -> bool:
        """True if anybody at all may call from this address."""
        source = _address(address)
        return any(source in caller.network for caller in self._callers)

    def refusal(self, calling: str, called: str, address: str) -> Refusal | None:
        """Reason to reject a caller; None where it is let in."""
        source = _address(address)
        if not any(caller.matches(calling, source) for caller in self._callers):
            return Refusal.CALLER
        if self._called not in (None, called):
            return Refusal.CALLED
        return None


def handle_requested(event: Event, admission: Admission) -> None:
    """Reject an association that is asked for by somebody who may not, and log it."""
    requestor = event.assoc.requestor
    calling = str(requestor.primitive.calling_ae_title).strip()
    called = str(requestor.primitive.called_ae_title).strip()
    refusal = admission.refusal(calling, called, requestor.address)
    if refusal is None:
        return
    log.warning(
        "association rejected",
        reason=refusal.name.lower(),
        calling_ae_title=calling,
        called_ae_title=called,
        address=requestor.address,
    )
    event.assoc.acse.send_reject(REJECTED_PERMANENT, SERVICE_USER, refusal.value)
    event.assoc.kill()  # waits until the answer has been sent


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address without its zone; IPv4 where it only looks like IPv6."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _caller(line: str) -> Caller:
    title, _, network = line.rpartition("@")
    return Caller(title.strip(), ip_network(network, strict=False))
