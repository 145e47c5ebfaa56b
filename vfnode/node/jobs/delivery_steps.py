"""The delivery of a job's objects to one destination: steps of a durable workflow.

As every step they may run twice. What a destination has a receipt for is not sent again; what
may have arrived without one is asked for first.
"""

from __future__ import annotations

import structlog

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryError,
    DeliveryRefusedError,
    VfnodeError,
)
from vfnode.node.delivery.cstore import peer_of
from vfnode.node.delivery.object_forms import forms_of, held_form
from vfnode.node.delivery.result_object import OnStored, ResultObject, result_objects
from vfnode.node.delivery.storage_scu import ALREADY_STORED
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.result_builder import ResultBuilder
from vfnode.node.settings.destination import DestinationSection

log = structlog.get_logger()


class DeliverySteps:
    """What the delivery workflow of one node does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._builder = ResultBuilder(parts)
        self._sections = {each.name: each for each in parts.settings.destinations}

    def send(self, job_id: str, destination: str, attempt: int) -> float | None:
        """Try once to deliver what a destination has no receipt for.

        Returns:
            Seconds until the next attempt; None when this was the last one.
        """
        begun_before = self._was_begun(job_id, destination, attempt)
        self._ledger.set_state(job_id, JobState.RUNNING, "deliver")
        self._ledger.set_delivery(job_id, destination, JobState.RUNNING, attempt, "")
        state, reason, pause_s = JobState.DELIVERED, "", None
        try:
            self._mend(job_id)
            if begun_before:
                self._look_for_what_arrived(job_id, destination)
            self._send(job_id, destination)
        except DeliveryDeferredError as error:
            pause_s = pause_before_next_s(self._sections[destination], attempt)
            state = JobState.FAILED if pause_s is None else JobState.WAITING
            reason = str(error)
        except DeliveryRefusedError as error:
            state, reason = JobState.FAILED, str(error)
        self._ledger.set_delivery(job_id, destination, state, attempt, reason)
        tell = log.info if state is JobState.DELIVERED else log.warning
        tell("delivery", job_id=job_id, destination=destination, state=state.value, reason=reason)
        return pause_s

    def settle(self, job_id: str) -> None:
        """Set the state of the whole job from those of its deliveries."""
        state = self._ledger.settle(job_id)
        log.info("job", job_id=job_id, state=state.value)

    def _mend(self, job_id: str) -> None:
        """Make results again that were damaged after they had been built."""
        try:
            self._builder.build(self._job(job_id))
        except VfnodeError as error:
            raise DeliveryRefusedError(
                f"the results are damaged and cannot be made again: {error}"
            ) from error

    def _send(self, job_id: str, destination: str) -> None:
        if destination not in self._parts.destinations:
            raise DeliveryRefusedError(f"destination {destination} is no longer in the settings")
        objects = self._objects(job_id, destination)
        waiting = [each for each in objects if self._held(destination, each) is None]
        if waiting:
            self._parts.destinations[destination].send(waiting, self._receipt(job_id, destination))
        section = self._sections[destination]
        if section.commitment:
            self._parts.commitments.require(
                peer_of(section, self._parts.settings),
                destination,
                [self._held(destination, each) or each for each in objects],
                section.commitment_wait_s,
            )

    def _objects(self, job_id: str, destination: str) -> list[ResultObject]:
        """The objects of a job that this destination is to have."""
        names = self._sections[destination].objects
        return result_objects(job_folder(self._parts.settings, job_id).results, names)

    def _receipt(self, job_id: str, destination: str) -> OnStored:
        def on_stored(each: ResultObject, status: int) -> None:
            self._ledger.add_receipt(
                job_id, destination, each.sop_instance_uid, each.sop_class_uid, status
            )

        return on_stored

    def _was_begun(self, job_id: str, destination: str, attempt: int) -> bool:
        """Whether some of the objects may have arrived without leaving a receipt."""
        job = self._job(job_id)
        running = {each.destination for each in job.deliveries if each.state is JobState.RUNNING}
        return attempt > 1 or job.run > 1 or destination in running

    def _look_for_what_arrived(self, job_id: str, destination: str) -> None:
        """Write the receipts of objects that a destination has although it has no receipt.

        The node may have been killed, or the connection lost, between its Success and the
        receipt. Where it cannot be asked the objects go again, which leaves one of each there.
        """
        section = self._sections.get(destination)
        if section is None or not section.query_before_resend:
            return
        objects = self._objects(job_id, destination)
        lacking = [each for each in objects if self._held(destination, each) is None]
        forms = [form for each in lacking for form in forms_of(each) if form.path.exists()]
        if not forms:
            return
        try:
            held = self._parts.destinations[destination].held(forms)
        except DeliveryError as error:
            log.info("not asked", job_id=job_id, destination=destination, reason=str(error))
            return
        note = self._receipt(job_id, destination)
        for form in forms:
            if form.sop_instance_uid in held:
                note(form, ALREADY_STORED)
        log.info("asked", job_id=job_id, destination=destination, found=len(held))

    def _held(self, destination: str, each: ResultObject) -> ResultObject | None:
        """The form in which a destination has an object."""
        uids = [form.sop_instance_uid for form in forms_of(each)]
        return held_form(each, self._ledger.received(destination, uids))

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]


def pause_before_next_s(section: DestinationSection, attempt: int) -> float | None:
    """Seconds to wait after a failed attempt (from 1); None when there is to be no other."""
    if attempt >= section.attempts:
        return None
    doublings = min(attempt - 1, 32)  # beyond any longest pause, and no overflow
    return min(section.first_pause_s * 2.0**doublings, section.longest_pause_s)
