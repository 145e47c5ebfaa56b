"""Where results go: the kinds of destination, and what each kind must do.

A new kind is one module, one line in ``DESTINATION_KINDS``, and the contract test that
runs over the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from vfnode.errors import SettingsError
from vfnode.node.delivery.cstore import CStoreDestination
from vfnode.node.delivery.folder import FolderDestination
from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.delivery.stow import StowDestination
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings


class Destination(Protocol):
    """A receiver of results."""

    def send(self, objects: Sequence[ResultObject], on_stored: OnStored) -> None:
        """Send objects in this order and tell of each as soon as it is stored.

        Sending an object again that the receiver has must leave one there.

        Raises:
            DeliveryDeferredError: what was not told of may be taken later.
            DeliveryRefusedError: what was not told of will never be taken.
        """

    def held(self, objects: Sequence[ResultObject]) -> set[str]:
        """SOP instance UIDs of those objects that the receiver says it has.

        Raises:
            DeliveryError: it cannot be asked.
        """


#: kind -> maker, given the settings of the destination and those of the node
DESTINATION_KINDS: Mapping[str, Callable[[DestinationSection, Settings], Destination]] = {
    "dicom": CStoreDestination,
    "folder": FolderDestination,
    "stow": StowDestination,
}


def make_destinations(settings: Settings) -> dict[str, Destination]:
    """The destinations of the settings, by name.

    Raises:
        SettingsError: a kind that there is not.
    """
    return {section.name: _maker(section)(section, settings) for section in settings.destinations}


def _maker(section: DestinationSection) -> Callable[[DestinationSection, Settings], Destination]:
    try:
        return DESTINATION_KINDS[section.kind]
    except KeyError:
        raise SettingsError(
            f"destinations.{section.name}.kind: {section.kind!r} is none of "
            f"{sorted(DESTINATION_KINDS)}; choose one of them"
        ) from None
