"""Holds and releases of destinations, by a person."""

from __future__ import annotations

from vfnode.errors import VfnodeError
from vfnode.node.jobs.holds import Holds
from vfnode.node.operations.access import writable_database_of
from vfnode.node.operations.journal import Journal, Order
from vfnode.node.settings.settings import Settings


def hold(settings: Settings, destination: str, order: Order) -> bool:
    """Send nothing to a destination until it is released.

    Returns:
        Whether it was free before; a hold that there is stays as it is.
    """
    require_destination(settings, destination)
    with writable_database_of(settings) as engine:
        is_new = Holds(engine).hold(destination, order.who, order.reason)
        if is_new:
            Journal(engine).note("hold", destination, order)
    return is_new


def release(settings: Settings, destination: str, order: Order) -> bool:
    """Go on sending to a destination; what waited for it begins within half a minute.

    Returns:
        Whether it was held.
    """
    with writable_database_of(settings) as engine:
        was_held = Holds(engine).release(destination)
        if was_held:
            Journal(engine).note("release", destination, order)
    return was_held


def require_destination(settings: Settings, destination: str) -> None:
    """Make sure that the settings have a destination.

    Raises:
        VfnodeError: they have not; says which there are.
    """
    names = [section.name for section in settings.destinations]
    if destination not in names:
        raise VfnodeError(
            f"there is no destination {destination} in the settings; there are: "
            f"{', '.join(names) or 'none'}"
        )
