"""The ledger's entries about deliveries and receipts; a job's state follows from them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from vfnode.node.database import patient
from vfnode.node.jobs.job_state import JobState, state_of
from vfnode.node.moment import now_utc
from vfnode.node.tables import deliveries, jobs, receipts

WAITING = JobState.WAITING.value


LOST = "lost"  #: evidence of a receipt that counts no more: the destination lacks the object
NOT_OVER = (WAITING, JobState.RUNNING.value)


@dataclass(frozen=True)
class Unfinished:
    """A delivery that is not over; without a destination, an analysis that is not."""

    job_id: str
    run: int
    destination: str = ""
    attempts: int = 0


class Entries:
    """Entries in the database of a node; each may be made twice with the same result."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @patient
    def _insert(self, table: Table, **values: Any) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(table).values(**values))
        except IntegrityError:  # it is there: this step runs for the second time
            return False
        return True

    @patient
    def _update(self, table: Table, key: dict[str, str], **values: Any) -> None:
        rows = and_(*(table.c[name] == value for name, value in key.items()))
        with self._engine.begin() as connection:
            connection.execute(update(table).where(rows).values(**values))


class DeliveryEntries(Entries):
    """Table of deliveries, with the objects that destinations have stored."""

    @patient
    def reopen(self, destination: str, sop_instance_uids: Collection[str]) -> list[str]:
        """A destination says that it lacks these objects: their receipts count no more.

        Returns:
            Jobs whose delivery had ended and now waits again.
        """
        lost = (receipts.c.destination == destination) & receipts.c.sop_instance_uid.in_(
            sop_instance_uids
        )
        with self._engine.begin() as connection:
            found = set(connection.scalars(select(receipts.c.job_id).where(lost)))
            connection.execute(update(receipts).where(lost).values(evidence=LOST))
            ended = (
                (deliveries.c.destination == destination)
                & deliveries.c.job_id.in_(found)
                & (deliveries.c.state == JobState.DELIVERED.value)
            )
            reopened = list(connection.scalars(select(deliveries.c.job_id).where(ended)))
            reason = f"{destination} says that it does not have what it had"
            connection.execute(update(deliveries).where(ended).values(state=WAITING, reason=reason))
            for job_id in reopened:
                _settle(connection, job_id)
        return reopened

    def plan_delivery(self, job_id: str, destination: str) -> None:
        """The results of a job are to go to a destination, from the first attempt on."""
        self._insert(deliveries, job_id=job_id, destination=destination, state=WAITING)
        self._update(
            deliveries,
            {"job_id": job_id, "destination": destination},
            state=WAITING,
            attempts=0,
            reason="",
            next_at=None,
        )

    @patient
    def set_delivery(
        self,
        job_id: str,
        destination: str,
        state: JobState,
        attempts: int,
        reason: str,
        pause_s: float | None = None,
    ) -> JobState:
        """Record where a delivery stands now, and with it its job, in one transaction.

        Args:
            pause_s: seconds until its next attempt; None where there is to be none.

        Returns:
            The state of the job.
        """
        next_at = None if pause_s is None else now_utc() + timedelta(seconds=pause_s)
        with self._engine.begin() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.job_id == job_id, deliveries.c.destination == destination)
                .values(state=state.value, attempts=attempts, reason=reason, next_at=next_at)
            )
            return _settle(connection, job_id)

    @patient
    def unfinished(self) -> list[Unfinished]:
        """Every delivery that is not over, and every job without one that is not over."""
        ways = (
            select(jobs.c.job_id, jobs.c.run, deliveries.c.destination, deliveries.c.attempts)
            .join(deliveries, jobs.c.job_id == deliveries.c.job_id)
            .where(deliveries.c.state.in_(NOT_OVER))
        )
        planned = select(deliveries.c.job_id).where(deliveries.c.state.in_(NOT_OVER))
        others = select(jobs.c.job_id, jobs.c.run).where(
            jobs.c.state.in_(NOT_OVER), jobs.c.job_id.not_in(planned)
        )
        with self._engine.connect() as connection:
            found = [Unfinished(*row) for row in connection.execute(ways)]
            return found + [Unfinished(*row) for row in connection.execute(others)]

    def add_receipt(
        self,
        job_id: str,
        destination: str,
        sop_instance_uid: str,
        sop_class_uid: str,
        status: int,
        evidence: str = "success",
    ) -> None:
        """A destination has stored an object; it is never sent there again.

        Args:
            evidence: that the receipt rests on: success (it said so), query (it was asked).
        """
        key = {"sop_instance_uid": sop_instance_uid, "destination": destination}
        told = {"status": status, "evidence": evidence, "stored_at": now_utc()}
        if not self._insert(receipts, job_id=job_id, sop_class_uid=sop_class_uid, **key, **told):
            self._update(receipts, {**key, "evidence": LOST}, **told)

    @patient
    def received(self, destination: str, sop_instance_uids: Collection[str]) -> set[str]:
        """Objects, of these, that a destination has already."""
        return self._with_receipt(destination, sop_instance_uids, receipts.c.evidence != LOST)

    @patient
    def lost(self, destination: str, sop_instance_uids: Collection[str]) -> set[str]:
        """Objects, of these, that a destination has had and says that it lacks now."""
        return self._with_receipt(destination, sop_instance_uids, receipts.c.evidence == LOST)

    def _with_receipt(
        self, destination: str, sop_instance_uids: Collection[str], which: ColumnElement[bool]
    ) -> set[str]:
        query = select(receipts.c.sop_instance_uid).where(
            receipts.c.destination == destination,
            receipts.c.sop_instance_uid.in_(sop_instance_uids),
            which,
        )
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    @patient
    def settle(self, job_id: str) -> JobState:
        """Set the state of a job from those of its deliveries, and return it."""
        with self._engine.begin() as connection:
            return _settle(connection, job_id)


def _settle(connection: Connection, job_id: str) -> JobState:
    # Written first: it takes the lock, so that of two deliveries that end at once the later
    # one sees both.
    this = jobs.c.job_id == job_id
    connection.execute(update(jobs).where(this).values(updated_at=now_utc()))
    code = connection.scalar(select(jobs.c.reason_code).where(this)) or ""
    ways = connection.execute(select(deliveries).where(deliveries.c.job_id == job_id)).all()
    state = state_of([JobState(way.state) for way in ways], code)
    values = {"state": state.value, "stage": "deliver"}
    if not code:
        values["reason"] = "; ".join(f"{w.destination}: {w.reason}" for w in ways if w.reason)
    connection.execute(update(jobs).where(this).values(**values))
    return state
