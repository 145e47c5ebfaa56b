"""What was asked of destinations by Storage Commitment, and what they have committed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Engine, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from vfnode.node.database import patient
from vfnode.node.tables import metadata, receipts

requests = Table(
    "vfnode_commitment_requests",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),
    Column("destination", String(40), nullable=False),
)

#: What was asked for under each transaction: an answer counts for nothing else.
asked_objects = Table(
    "vfnode_commitment_objects",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
)

commitments = Table(
    "vfnode_commitments",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("committed_at", DateTime(timezone=True), nullable=False),
)

#: Failure reasons that say that an object is not held (PS3.3 table C.14-1): no such instance,
#: another SOP class under its UID. Others say only that it is not committed to.
NOT_THERE = {0x0112, 0x0119}


@dataclass(frozen=True)
class CommitmentReport:
    """One N-EVENT-REPORT of a Storage Commitment SCP (PS3.4 table J.3-4)."""

    transaction_uid: str
    committed: Sequence[str]  #: SOP instance UIDs
    failed: Mapping[str, int] = field(default_factory=dict)  #: UID -> failure reason


class CommitmentBook:
    """Requests and commitments in the node's database; entries may be made twice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, transaction_uid: str, destination: str, uids: Iterable[str]) -> None:
        """A destination is about to be asked for these instances under this transaction."""
        for uid in uids:
            self._insert_once(asked_objects, transaction_uid=transaction_uid, sop_instance_uid=uid)
        self._insert_once(requests, transaction_uid=transaction_uid, destination=destination)

    @patient
    def destination_of(self, transaction_uid: str) -> str | None:
        """Whom a transaction was begun with; None where it was not."""
        query = select(requests.c.destination).where(requests.c.transaction_uid == transaction_uid)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    @patient
    def record(self, report: CommitmentReport, destination: str) -> set[str]:
        """A destination has answered; what it commits to counts if it was asked for it.

        An object that stands among the failed as well is not committed to.

        Returns:
            SOP instance UIDs that were asked for and that it does not have.
        """
        query = select(asked_objects.c.sop_instance_uid).where(
            asked_objects.c.transaction_uid == report.transaction_uid
        )
        with self._engine.connect() as connection:
            asked = set(connection.scalars(query))
        now = datetime.now(UTC)
        for uid in asked & set(report.committed) - set(report.failed):
            self._insert_once(
                commitments, sop_instance_uid=uid, destination=destination, committed_at=now
            )
            self._set_evidence(uid, destination)
        lost = {uid for uid, reason in report.failed.items() if reason in NOT_THERE} & asked
        self._forget(destination, lost)
        return lost

    @patient
    def missing(self, destination: str, sop_instance_uids: Iterable[str]) -> set[str]:
        """Which of these objects the destination has not committed to."""
        wanted = set(sop_instance_uids)
        query = select(commitments.c.sop_instance_uid).where(
            commitments.c.destination == destination,
            commitments.c.sop_instance_uid.in_(wanted),
        )
        with self._engine.connect() as connection:
            return wanted - set(connection.scalars(query))

    def _set_evidence(self, uid: str, destination: str) -> None:
        this = (receipts.c.sop_instance_uid == uid) & (receipts.c.destination == destination)
        with self._engine.begin() as connection:
            connection.execute(update(receipts).where(this).values(evidence="commitment"))

    def _forget(self, destination: str, uids: set[str]) -> None:
        gone = (commitments.c.destination == destination) & (
            commitments.c.sop_instance_uid.in_(uids)
        )
        with self._engine.begin() as connection:
            connection.execute(delete(commitments).where(gone))

    @patient
    def _insert_once(self, table: Table, **values: object) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(table).values(**values))
        except IntegrityError:  # reported before
            return
