"""No state outlives its worker: what is not over and has no workflow is taken up, or failed.

A workflow ends without ending its delivery when the database was away, when the node was killed
at the wrong line, or when a release before this one had a fault. It is seen twice before anything
is done, so that what is just being begun is not begun twice.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from dbos import DBOS

from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_entries import Unfinished
from vfnode.node.jobs.delivery_steps import NO_SUCH_DESTINATION
from vfnode.node.jobs.durable import RECOVERIES, Begin, delivery_id
from vfnode.node.jobs.holds import Holds
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.settings.destination import DestinationSection

ALIVE = ["PENDING", "ENQUEUED", "DELAYED"]
DELAYED = "DELAYED"
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"  #: DBOS's name for what it recovers no more
LONGEST_ASKED_PAUSE_S = 86400.0  #: that a destination may ask for (Retry-After)
DIED = f"the node died {RECOVERIES} times working on it"

log = structlog.get_logger()


@dataclass(frozen=True)
class Waiting:
    """A workflow that is to begin at a time of day."""

    workflow_id: str
    made_ms: int  #: both since 1970, by the clock as it was then
    begins_ms: int


class Sweep:
    """Looks for work that nobody does.

    Args:
        ledger: where jobs and deliveries stand.
        steps: to fail what cannot be taken up.
        begin: begins workflows.
        sections: the destinations of the settings.
    """

    def __init__(
        self,
        ledger: Ledger,
        steps: Steps,
        begin: Begin,
        sections: Mapping[str, DestinationSection],
    ) -> None:
        self._ledger = ledger
        self._steps = steps
        self._begin = begin
        self._sections = sections
        self._holds = Holds(ledger.engine)
        self._seen: set[Unfinished] = set()

    def look(self) -> None:
        """Look once; what was orphaned at the last look as well is taken up."""
        unfinished = self._ledger.unfinished()
        if not unfinished:
            self._seen = set()
            return
        alive = DBOS.list_workflows(status=ALIVE, load_input=False, load_output=False)
        waiting = (
            Waiting(flow.workflow_id, flow.created_at or 0, flow.delay_until_epoch_ms or 0)
            for flow in alive
            if flow.status == DELAYED
        )
        for workflow_id in overdue(waiting, time.time() * 1000):
            log.warning("wait ended: the clock was wrong", workflow_id=workflow_id)
            DBOS.set_workflow_delay(workflow_id, delay_seconds=0)
        held = self._holds.held()
        unfinished = [
            each
            for each in unfinished
            if each.destination not in held and not self._is_closed(each)
        ]
        orphans = set(orphaned(unfinished, [flow.workflow_id for flow in alive]))
        for orphan in sorted(orphans & self._seen, key=lambda each: each.job_id):
            self._take_up(orphan)
        self._seen = orphans

    def _take_up(self, orphan: Unfinished) -> None:
        if orphan.destination:
            self._take_up_delivery(orphan)
        else:
            self._take_up_analysis(orphan)

    def _is_closed(self, each: Unfinished) -> bool:
        """Close a delivery whose destination there is no more; whether that was so."""
        if not each.destination or each.destination in self._sections:
            return False
        self._ledger.set_delivery(
            each.job_id, each.destination, JobState.CLOSED, each.attempts, NO_SUCH_DESTINATION
        )
        log.warning(
            "delivery closed",
            job_id=each.job_id,
            destination=each.destination,
            reason=NO_SUCH_DESTINATION,
        )
        return True

    def _take_up_delivery(self, orphan: Unfinished) -> None:
        job_id, destination, attempt = orphan.job_id, orphan.destination, orphan.attempts + 1
        dead = _ended(workflow_id_prefix=f"{job_id}/{orphan.run}/{destination}/")
        if GIVEN_UP in dead or len(dead) - orphan.attempts >= RECOVERIES:
            self._ledger.set_delivery(job_id, destination, JobState.FAILED, orphan.attempts, DIED)
            log.error("delivery failed", job_id=job_id, destination=destination, reason=DIED)
            return
        log.warning("delivery taken up", job_id=job_id, destination=destination)
        again = f"{delivery_id(job_id, destination, orphan.run, attempt)}+{len(dead)}"
        self._begin.deliver(again, job_id, destination, orphan.run, attempt, 0.0)

    def _take_up_analysis(self, orphan: Unfinished) -> None:
        dead = _ended(workflow_ids=[f"{orphan.job_id}/{orphan.run}"])
        if not dead:  # it is being chosen, and is begun when that is done
            return
        if GIVEN_UP in dead or orphan.run >= RECOVERIES:
            self._steps.fail(orphan.job_id, DIED)
            return
        log.warning("job taken up", job_id=orphan.job_id, run=orphan.run + 1)
        self._ledger.set_run(orphan.job_id, orphan.run + 1)
        self._begin.analyse(orphan.job_id, orphan.run + 1, 0.0)


def orphaned(unfinished: Iterable[Unfinished], alive: Collection[str]) -> list[Unfinished]:
    """Unfinished workflows that no living executor works on.

    Args:
        alive: identifiers: ``job/run`` of an analysis, ``job/run/destination/attempt`` of a
            delivery. An analysis will begin the deliveries that it has planned.
    """
    analysed, delivered = set(), set()
    for workflow_id in alive:
        parts = workflow_id.split("/")
        if len(parts) == 2:  # noqa: PLR2004 - job and run
            analysed.add(parts[0])
        else:
            delivered.add((parts[0], parts[2]))
    return [
        each
        for each in unfinished
        if each.job_id not in analysed and (each.job_id, each.destination) not in delivered
    ]


def overdue(waiting: Iterable[Waiting], now_ms: float) -> list[str]:
    """Workflows whose wait is longer than it was meant: the clock was ahead when it began."""
    found = []
    for each in waiting:
        meant_ms = min(each.begins_ms - each.made_ms, LONGEST_ASKED_PAUSE_S * 1000)
        if each.begins_ms - now_ms > meant_ms + 1000:
            found.append(each.workflow_id)
    return found


def _ended(**which: Any) -> list[str]:
    """States of these workflows; none of them lives."""
    ended = DBOS.list_workflows(load_input=False, load_output=False, **which)
    return [flow.status for flow in ended]
