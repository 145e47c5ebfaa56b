"""What the durable workflows do, step by step; every step may run twice.

A step answers with a plain value instead of raising what it expects: answers are stored
with the workflow, and a stored error would have to be read back by the next version of
the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from vfnode.errors import (
    ComputeError,
    DeliveryDeferredError,
    DeliveryRefusedError,
    NotEvaluableError,
    VfnodeError,
)
from vfnode.node.analysis_store import save_analysis
from vfnode.node.commitment import Commitments
from vfnode.node.destination_cstore import peer_of
from vfnode.node.destinations import Destination
from vfnode.node.earlier_results import earlier_report, set_aside
from vfnode.node.inbox import Inbox
from vfnode.node.job import Job, JobState
from vfnode.node.ledger import Ledger
from vfnode.node.object_forms import forms_of, held_form
from vfnode.node.result_object import ResultObject, holds_fracture, result_objects
from vfnode.node.series_reader import refusal
from vfnode.node.settings import Settings
from vfnode.node.settings_destination import DestinationSection
from vfnode.node.spool import job_folder, read_instances
from vfnode.spine.report import Reason

COMPUTE_ATTEMPTS = 2

log = structlog.get_logger()


class ComputeService(Protocol):
    """What computes and builds: the child process, or a fake."""

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """As :meth:`vfnode.node.compute_client.ComputeClient.ask`."""

    def stop(self) -> None:
        """Compute nothing more; what waits for an answer is let go of."""


@dataclass(frozen=True)
class Parts:
    """What the steps work with; wired in app.py."""

    settings: Settings
    inbox: Inbox
    ledger: Ledger
    compute: ComputeService
    destinations: Mapping[str, Destination]
    commitments: Commitments


class Steps:
    """The steps of the workflows of one node."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._sections = {each.name: each for each in parts.settings.destinations}

    def assemble(self, job_id: str) -> bool:
        """Check that every image of the job is in the inbox."""
        self._ledger.set_state(job_id, JobState.RUNNING, "assemble")
        held = set(self._parts.inbox.instances(self._job(job_id).series_key))
        wanted = read_instances(job_folder(self._parts.settings, job_id))
        missing = [path for path in wanted if path not in held]
        if missing:
            self.fail(job_id, f"{len(missing)} images are no longer in the inbox")
        return not missing

    def compute(self, job_id: str) -> bool:
        """Analyse the series; the numbers stand in the job's folder afterwards.

        Where that fails for good, they say so: silence would look like a normal spine.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "compute")
        if self._job(job_id).reason_code == Reason.COMPUTE_FAILED.code:  # a person tries again
            set_aside(job_folder(self._parts.settings, job_id))
            self._ledger.set_reason(job_id, "", "")
        return self._ask(job_id, "compute")

    def build(self, job_id: str) -> list[str]:
        """Make the result objects from the numbers.

        Returns:
            Names of the destinations that they go to; none if they could not be made.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "build")
        if not self._ask(job_id, "build"):
            return []
        is_positive = holds_fracture(job_folder(self._parts.settings, job_id).results)
        chosen = [
            name for name, each in self._sections.items() if is_positive or not each.positives_only
        ]
        for name in chosen:
            self._ledger.set_delivery(job_id, name, JobState.WAITING, 0, "")
        if not chosen:
            self.settle(job_id)
        return chosen

    def send(self, job_id: str, destination: str, attempt: int) -> float | None:
        """Try once to deliver what a destination has no receipt for.

        Returns:
            Seconds until the next attempt; None when this was the last one.
        """
        self._ledger.set_state(job_id, JobState.RUNNING, "deliver")
        state, reason, pause_s = JobState.DELIVERED, "", None
        try:
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

    def fail(self, job_id: str, reason: str) -> None:
        """The job needs a person."""
        log.error("job failed", job_id=job_id, reason=reason)
        self._ledger.set_reason(job_id, "", reason)
        self._ledger.set_state(job_id, JobState.FAILED)

    def _ask(self, job_id: str, command: str) -> bool:
        settings = self._parts.settings
        folder = job_folder(settings, job_id)
        if folder.is_built:  # other bytes under the same UIDs might reach a second PACS
            return True
        job = self._job(job_id)
        earlier = earlier_report(job, self._ledger, settings)
        request = {
            "command": command,
            "instances": [str(path) for path in read_instances(folder)],
            "analysis": str(folder.analysis),
            "results": str(folder.results),
            "created": f"{job.created_at.astimezone().replace(tzinfo=None)}",
            "replaces": str(earlier) if earlier else None,
        }
        try:
            answer = self._ask_twice(request, job_id)
        except NotEvaluableError as error:
            log.warning("job rejected", job_id=job_id, code=error.code, reason=error.detail)
            self._ledger.set_reason(job_id, error.code, error.detail)
            self._ledger.set_state(job_id, JobState.REJECTED)
            return False
        except ComputeError as error:
            if command == "compute":
                return self._answer_failure(job_id, str(error))
            self.fail(job_id, str(error))
            return False
        except VfnodeError as error:
            self.fail(job_id, str(error))
            return False
        if answer.get("reason"):
            self._ledger.set_reason(job_id, answer["reason"]["code"], answer["reason"]["meaning"])
        return True

    def _answer_failure(self, job_id: str, reason: str) -> bool:
        """Go on with an analysis that says that there is none; a person is needed as well."""
        log.error("compute failed", job_id=job_id, reason=reason)
        settings = self._parts.settings
        analysis = refusal(Reason.COMPUTE_FAILED, settings.results.limits())
        save_analysis(analysis, job_folder(settings, job_id).analysis)
        self._ledger.set_reason(job_id, Reason.COMPUTE_FAILED.code, reason)
        return True

    def _ask_twice(self, request: Mapping[str, Any], job_id: str) -> dict[str, Any]:
        for attempt in range(1, COMPUTE_ATTEMPTS):
            try:
                return self._parts.compute.ask(request)
            except ComputeError as error:
                log.warning("tried again", job_id=job_id, attempt=attempt, reason=str(error))
        return self._parts.compute.ask(request)

    def _send(self, job_id: str, destination: str) -> None:
        if destination not in self._parts.destinations:
            raise DeliveryRefusedError(f"destination {destination} is no longer in the settings")
        objects = result_objects(job_folder(self._parts.settings, job_id).results)
        waiting = [each for each in objects if self._held(destination, each) is None]

        def on_stored(each: ResultObject, status: int) -> None:
            self._ledger.add_receipt(
                job_id, destination, each.sop_instance_uid, each.sop_class_uid, status
            )

        if waiting:
            self._parts.destinations[destination].send(waiting, on_stored)
        section = self._sections[destination]
        if section.commitment:
            self._parts.commitments.require(
                peer_of(section, self._parts.settings),
                destination,
                [self._held(destination, each) or each for each in objects],
                section.commitment_wait_s,
            )

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
