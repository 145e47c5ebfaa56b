"""What was asked of destinations by Storage Commitment, and what they have committed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Engine, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from vfnode.node.database import patient
from vfnode.node.tables import metadata, receipts

requests = Table(
    "vfnode_commitment_requests",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),
    Column("destination", String(40), nullable=False),
)

commitments = Table(
    "vfnode_commitments",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("committed_at", DateTime(timezone=True), nullable=False),
)


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

    def ask(self, transaction_uid: str, destination: str) -> None:
        """A destination is about to be asked under this transaction."""
        self._insert_once(requests, transaction_uid=transaction_uid, destination=destination)

    @patient
    def record(self, report: CommitmentReport) -> bool:
        """A destination has answered; what it lacks loses its receipt, to be sent again.

        Returns:
            Whether it had been asked.
        """
        with self._engine.connect() as connection:
            asked = requests.c.transaction_uid == report.transaction_uid
            destination = connection.scalar(select(requests.c.destination).where(asked))
        if destination is None:
            return False
        now = datetime.now(UTC)
        for uid in report.committed:
            self._insert_once(
                commitments, sop_instance_uid=uid, destination=destination, committed_at=now
            )
        with self._engine.begin() as connection:
            lost = (receipts.c.destination == destination) & receipts.c.sop_instance_uid.in_(
                list(report.failed)
            )
            connection.execute(delete(receipts).where(lost))
        return True

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

    @patient
    def _insert_once(self, table: Table, **values: object) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(table).values(**values))
        except IntegrityError:  # reported before
            return
