"""The delivery of a job's objects to one destination: steps of a durable workflow.

As every step they may run twice. What a destination has a receipt for is not sent again; what
may have arrived without one is asked for first. This is the border of the delivery: whatever a
library raises in a destination is translated here into waiting or a person's work.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import OperationalError

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryRefusedError,
    InstallationError,
    ModelError,
    VfnodeError,
)
from vfnode.node.delivery.answers import ALREADY_STORED, error_of_unforeseen, is_foreseen
from vfnode.node.delivery.cstore import peer_of
from vfnode.node.delivery.deadline import GRACE_S, Attempts, raised_by
from vfnode.node.delivery.object_forms import forms_of, held_form
from vfnode.node.delivery.result_object import OnStored, ResultObject, result_objects
from vfnode.node.jobs.history import EventKind
from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job import Job
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.result_builder import ResultBuilder
from vfnode.node.settings.destination import DestinationSection

DELIVERIES_AT_ONCE = 4  #: to one destination: a sick one costs the others nothing
NO_SUCH_DESTINATION = "the destination is no longer in the settings"

log = structlog.get_logger()


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended."""

    state: JobState
    reason: str = ""
    pause_s: float | None = None  #: until the next attempt; None where there is to be none


class DeliverySteps:
    """What the delivery workflow of one node does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._sections = {each.name: each for each in parts.settings.destinations}
        self._builder = ResultBuilder(parts)
        self._holds = Holds(parts.ledger.engine)
        self._attempts = {name: Attempts(DELIVERIES_AT_ONCE) for name in self._sections}

    def send(self, job_id: str, destination: str, run: int, attempt: int) -> float | None:
        """Try once to deliver what a destination has no receipt for.

        Returns:
            Seconds until the next attempt; None when this was the last one.
        """
        job = self._job(job_id)
        if job.run != run:  # a person has begun the job once more, and that run delivers
            return None
        section, hold = self._sections.get(destination), self._holds.held().get(destination)
        if section is None:
            self._record(job_id, destination, 0, Outcome(JobState.CLOSED, NO_SUCH_DESTINATION))
            return None
        if hold is not None:  # when it is released the sweep begins this attempt
            self._record(job_id, destination, attempt - 1, Outcome(JobState.WAITING, str(hold)))
            return None
        begun_before = _was_begun(job, destination, attempt)
        self._ledger.set_delivery(job_id, destination, JobState.RUNNING, attempt, "")
        outcome = self._outcome(job, section, attempt, begun_before)
        words = f"attempt {attempt}: {outcome.reason or 'delivered'}"
        self._ledger.history.note(job_id, EventKind.ATTEMPT, words, destination)
        self._record(job_id, destination, attempt, outcome)
        return outcome.pause_s

    def _record(self, job_id: str, destination: str, attempts: int, outcome: Outcome) -> None:
        state = self._ledger.set_delivery(
            job_id, destination, outcome.state, attempts, outcome.reason, outcome.pause_s
        )
        tell = log.info if outcome.state is JobState.DELIVERED else log.warning
        tell(
            "delivery",
            job_id=job_id,
            destination=destination,
            attempts=attempts,
            state=outcome.state.value,
            reason=outcome.reason,
            job_state=state.value,
        )

    def _outcome(
        self, job: Job, section: DestinationSection, attempt: int, begun_before: bool
    ) -> Outcome:
        """Make the attempt, in a thread that cannot hold this one for ever."""

        def work() -> None:
            if begun_before:
                self._look_for_what_arrived(job.job_id, section)
            self._send(job.job_id, section)

        damage = self._mended(job)
        if damage is not None:
            return outcome_of(damage, section, attempt)
        limit_s = 3 * section.limit_s + section.commitment_wait_s + GRACE_S
        raised = self._attempts[section.name].run(work, limit_s)
        if raised is None:
            return Outcome(JobState.DELIVERED)
        if not is_foreseen(raised):
            _log_unforeseen(raised, job.job_id, section.name)
        return outcome_of(_translated(raised, section.name), section, attempt)

    def _mended(self, job: Job) -> Exception | None:
        """Make results again that were damaged; why that cannot be, None where all is well."""
        try:
            self._builder.build(job)
        except (InstallationError, ModelError) as error:
            return InstallationError(str(error))
        except VfnodeError as error:
            return DeliveryRefusedError(
                f"the results are damaged and cannot be made again: {error}"
            )
        except OSError as error:
            return _translated(error, "the spool")
        return None

    def _send(self, job_id: str, section: DestinationSection) -> None:
        objects = self._objects(job_id, section)
        waiting = [each for each in objects if self._held(section.name, each) is None]
        if waiting:
            destination = self._parts.destinations[section.name]
            destination.send(waiting, self._receipt(job_id, section.name, "success"))
        if section.commitment and objects:
            self._parts.commitments.require(
                peer_of(section, self._parts.settings),
                section.name,
                [self._held(section.name, each) or each for each in objects],
                section.commitment_wait_s,
            )

    def _objects(self, job_id: str, section: DestinationSection) -> list[ResultObject]:
        """The objects of a job that this destination is to have."""
        return result_objects(job_folder(self._parts.settings, job_id).results, section.objects)

    def _receipt(self, job_id: str, destination: str, evidence: str) -> OnStored:
        def on_stored(each: ResultObject, status: int) -> None:
            self._ledger.add_receipt(
                job_id, destination, each.sop_instance_uid, each.sop_class_uid, status, evidence
            )

        return on_stored

    def _look_for_what_arrived(self, job_id: str, section: DestinationSection) -> None:
        """Write the receipts of objects that a destination has although it has no receipt.

        The node may have been killed, or the connection lost, between its Success and the
        receipt. Where it cannot be asked the objects go again, which leaves one of each there.
        """
        if not section.query_before_resend:
            return
        objects = self._objects(job_id, section)
        lacking = [each for each in objects if self._held(section.name, each) is None]
        forms = [form for each in lacking for form in forms_of(each) if form.path.exists()]
        lost = self._ledger.lost(section.name, [form.sop_instance_uid for form in forms])
        forms = [form for form in forms if form.sop_instance_uid not in lost]
        if not forms:
            return
        held: set[str] = set()
        raised = raised_by(lambda: held.update(self._parts.destinations[section.name].held(forms)))
        if raised is not None:
            reason = str(_translated(raised, section.name))
            log.info("not asked", job_id=job_id, destination=section.name, reason=reason)
            return
        note = self._receipt(job_id, section.name, "query")
        for form in forms:
            if form.sop_instance_uid in held:
                note(form, ALREADY_STORED)
        log.info("asked", job_id=job_id, destination=section.name, found=len(held))

    def _held(self, destination: str, each: ResultObject) -> ResultObject | None:
        """The form in which a destination has an object."""
        uids = [form.sop_instance_uid for form in forms_of(each)]
        return held_form(each, self._ledger.received(destination, uids))

    def _job(self, job_id: str) -> Job:
        return self._ledger.jobs(job_id)[0]


def outcome_of(error: Exception, section: DestinationSection, attempt: int) -> Outcome:
    """What follows from an attempt that raised an error of vfnode."""
    if isinstance(error, InstallationError):  # however long it takes to mend the machine
        pause_s = pause_s_after(section, attempt)
        return Outcome(JobState.WAITING, f"this machine: {error}", pause_s)
    if not isinstance(error, DeliveryDeferredError):
        return Outcome(JobState.FAILED, str(error))
    if attempt >= section.attempts:
        return Outcome(JobState.FAILED, f"{error} (attempt {attempt}, the last one)")
    pause_s = max(pause_s_after(section, attempt), error.retry_after_s)
    return Outcome(JobState.WAITING, str(error), pause_s)


def pause_s_after(section: DestinationSection, attempt: int) -> float:
    """Seconds to wait after a failed attempt (from 1)."""
    doublings = min(attempt - 1, 32)  # beyond any longest pause, and no overflow
    return float(min(section.first_pause_s * 2.0**doublings, section.longest_pause_s))


def _was_begun(job: Job, destination: str, attempt: int) -> bool:
    """Whether some of the objects may have arrived without leaving a receipt."""
    running = {each.destination for each in job.deliveries if each.state is JobState.RUNNING}
    return attempt > 1 or job.run > 1 or job.may_be_held or destination in running


def _translated(error: BaseException, destination: str) -> Exception:
    if isinstance(error, OperationalError):
        return InstallationError("the database does not answer")
    return error_of_unforeseen(error, destination)


def _log_unforeseen(error: BaseException, job_id: str, destination: str) -> None:
    """Without the message: it may quote what a header says about the patient."""
    log.error(
        "unexpected in a delivery",
        job_id=job_id,
        destination=destination,
        error=type(error).__name__,
        traceback="".join(traceback.format_tb(error.__traceback__)),
    )
