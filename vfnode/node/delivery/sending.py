"""Sends the objects of a job one by one: what is common to every kind of destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vfnode.errors import DeliveryDeferredError, DeliveryRefusedError, ResultError
from vfnode.node.delivery.answers import FormRefusedError, ObjectDeferredError
from vfnode.node.delivery.object_forms import written_form
from vfnode.node.delivery.result_object import OnStored, ResultObject

#: Stores one form of an object and returns the status it was stored with.
Store = Callable[[ResultObject], int]
#: The forms of an object that are worth trying, best first.
Forms = Callable[[ResultObject], Sequence[ResultObject]]


def send_each(
    objects: Sequence[ResultObject], forms: Forms, store: Store, on_stored: OnStored
) -> None:
    """Send objects in this order; one that is refused or put off does not hold up the others.

    An object goes in the first of its forms that is taken, and that form is told of.

    Raises:
        DeliveryDeferredError: some may be taken later, or the receiver is gone.
        DeliveryRefusedError: all that were not taken will never be.
    """
    refused: list[str] = []
    deferred: list[str] = []
    pause_s = 0.0
    for result in objects:
        try:
            form, status = _first_taken(result, forms(result), store)
        except ObjectDeferredError as error:
            deferred.append(str(error))
            pause_s = max(pause_s, error.retry_after_s)
        except DeliveryRefusedError as error:
            refused.append(str(error))
        else:
            on_stored(form, status)
    if deferred:
        raise DeliveryDeferredError("; ".join([*deferred, *refused]), pause_s)
    if refused:
        raise DeliveryRefusedError("; ".join(refused))


def _first_taken(
    result: ResultObject, forms: Sequence[ResultObject], store: Store
) -> tuple[ResultObject, int]:
    refusals = []
    for form in forms:
        try:
            return form, store(written_form(form, result))
        except (FormRefusedError, ResultError) as error:
            refusals.append(str(error))
    raise DeliveryRefusedError("; ".join(refusals))
