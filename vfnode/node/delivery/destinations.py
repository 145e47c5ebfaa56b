"""Where results go, and what every kind of destination must do.

A new kind is one module, one line in ``vfnode.node.settings.destination.KINDS``, and the contract
test that runs over the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol

from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.settings.destination import DestinationSection, kind_of
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

    def echo(self) -> str:
        """Ask it whether it is there, and would take results; nothing is sent.

        Returns:
            What it would not take; empty where it would take all.

        Raises:
            DeliveryError: it does not answer, or lets nobody in.
        """


def make_destinations(settings: Settings) -> dict[str, Destination]:
    """The destinations of the settings, by name.

    Raises:
        SettingsError: the settings of one cannot be used, as a certificate that is not there.
    """
    return {section.name: make_destination(section, settings) for section in settings.destinations}


def make_destination(section: DestinationSection, settings: Settings) -> Destination:
    """One destination, of the kind that its section names.

    Raises:
        SettingsError: as `make_destinations`.
    """
    module, _, name = kind_of(section.kind).maker.partition(":")
    made: Destination = getattr(import_module(module), name)(section, settings)
    return made
