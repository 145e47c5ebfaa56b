"""The ledger: jobs, one per content of a series, with their deliveries and receipts.

It says where things stand; what has to be done next stands in the durable workflows.
Every entry may be made twice with the same result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Table, and_, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.database import check, open_database, patient
from vfnode.node.database_faults import database_errors_named
from vfnode.node.jobs.history import EventKind, History
from vfnode.node.jobs.job import Delivery, Job, Receipt
from vfnode.node.jobs.job_state import JobState
from vfnode.node.moment import now_utc, utc
from vfnode.node.tables import deliveries, jobs, metadata, receipts
from vfnode.spine.reason import Reason


class Ledger:
    """Jobs, deliveries and receipts in the database of a node."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.history = History(engine)

    @classmethod
    def open(cls, url: str) -> Ledger:
        """The ledger in this database; its tables are made where they are missing.

        Raises:
            SettingsError: the URL is at fault.
            InstallationError: it is away, locked, full, damaged, of another release, or
                cannot be written.
        """
        with database_errors_named(url):
            engine = open_database(url)
            metadata.create_all(engine)
            check(engine)
        return cls(engine)

    @property
    def engine(self) -> Engine:
        """The database, for what else is recorded there."""
        return self._engine

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def register(
        self, job_id: str, key: SeriesKey, instances: int, sender: str = "", image_bytes: int = 0
    ) -> bool:
        """A series is complete; a job that is known already stays as it is.

        Args:
            sender: AE title@address of who sent it; empty where it is not known any more.
            image_bytes: of all its instances together.

        Returns:
            Whether it is new.
        """
        return self._insert(
            jobs,
            job_id=job_id,
            patient_digest=key.patient_digest,
            study_instance_uid=key.study_instance_uid,
            series_instance_uid=key.series_instance_uid,
            instances=instances,
            image_bytes=image_bytes,
            sender=sender,
            state=JobState.WAITING.value,
            stage="queued",
            created_at=self._moment_after(key),
            updated_at=now_utc(),
        )

    def set_state(self, job_id: str, state: JobState, stage: str | None = None) -> None:
        """Record where a job stands now; without a stage it stays in the one it was in."""
        values = {"state": state.value} | ({} if stage is None else {"stage": stage})
        self._update(jobs, {"job_id": job_id}, updated_at=now_utc(), **values)
        if stage is not None:
            self.history.note(job_id, EventKind.STAGE, stage)

    def set_reason(self, job_id: str, reason_code: str, reason: str) -> None:
        """Record why a job stands where it stands; the code is empty where there is none."""
        self._update(jobs, {"job_id": job_id}, reason_code=reason_code, reason=reason)

    @patient
    def settle(self, job_id: str) -> JobState:
        """Set the state of a job from those of its deliveries, and return it."""
        with self._engine.begin() as connection:
            # Written first: it takes the lock, so that of two deliveries that end at once
            # the later one sees both.
            this = jobs.c.job_id == job_id
            connection.execute(update(jobs).where(this).values(updated_at=now_utc()))
            code = connection.scalar(select(jobs.c.reason_code).where(this))
            found = connection.execute(select(deliveries).where(deliveries.c.job_id == job_id))
            ways = found.all()
            state = _settled({JobState(way.state) for way in ways}, code or "")
            values = {"state": state.value, "stage": "deliver"}
            if not code:
                values["reason"] = "; ".join(
                    f"{w.destination}: {w.reason}" for w in ways if w.reason
                )
            connection.execute(update(jobs).where(this).values(**values))
        return state

    def set_grade(self, job_id: str, grade: str) -> None:
        """Record the grade of the patient; empty where none could be given."""
        self._update(jobs, {"job_id": job_id}, grade=grade)

    def set_run(self, job_id: str, run: int) -> None:
        """A person started the job once more."""
        self._update(jobs, {"job_id": job_id}, run=run)

    def set_delivery(
        self, job_id: str, destination: str, state: JobState, attempts: int, reason: str
    ) -> None:
        """Record where a delivery stands now."""
        key = {"job_id": job_id, "destination": destination}
        self._insert(deliveries, state=JobState.WAITING.value, **key)
        self._update(deliveries, key, state=state.value, attempts=attempts, reason=reason)

    def add_receipt(
        self,
        job_id: str,
        destination: str,
        sop_instance_uid: str,
        sop_class_uid: str,
        status: int,
    ) -> None:
        """A destination has stored an object; it is never sent there again."""
        self._insert(
            receipts,
            job_id=job_id,
            destination=destination,
            sop_instance_uid=sop_instance_uid,
            sop_class_uid=sop_class_uid,
            status=status,
            stored_at=now_utc(),
        )

    @patient
    def received(self, destination: str, sop_instance_uids: Sequence[str]) -> set[str]:
        """Which of these objects a destination has already."""
        query = select(receipts.c.sop_instance_uid).where(
            receipts.c.destination == destination,
            receipts.c.sop_instance_uid.in_(sop_instance_uids),
        )
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    @patient
    def jobs(self, job_id: str | None = None, series_uid: str | None = None) -> list[Job]:
        """All jobs, oldest first, or those with this identifier or of this series."""
        wanted: list[ColumnElement[bool]] = [true()]
        if job_id is not None:
            wanted.append(jobs.c.job_id == job_id)
        if series_uid is not None:
            wanted.append(jobs.c.series_instance_uid == series_uid)
        chosen = select(jobs.c.job_id).where(*wanted)
        query = select(jobs).where(*wanted).order_by(jobs.c.created_at, jobs.c.job_id)
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
            ways, stored = (
                _by_job(connection.execute(select(table).where(table.c.job_id.in_(chosen))))
                for table in (deliveries, receipts)
            )
        return [_job(row, ways[row.job_id], stored[row.job_id]) for row in found]

    @patient
    def _moment_after(self, key: SeriesKey) -> datetime:
        """Now; where the clock was set back, just after the newest job of the series.

        A later job replaces the report of an earlier one: their order must hold.
        """
        same = jobs.c.series_instance_uid == key.series_instance_uid
        with self._engine.connect() as connection:
            latest = connection.scalar(select(func.max(jobs.c.created_at)).where(same))
        after = utc(latest) + timedelta(milliseconds=1) if latest else now_utc()
        return max(now_utc(), after)

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


def _settled(states: set[JobState], reason_code: str) -> JobState:
    if states <= {JobState.DELIVERED}:
        if reason_code == Reason.COMPUTE_FAILED.code:  # told, and still a person's work
            return JobState.FAILED
        return JobState.REJECTED if reason_code else JobState.DELIVERED
    for state in (JobState.RUNNING, JobState.WAITING):  # another delivery is not over yet
        if state in states:
            return state
    return JobState.FAILED


def _by_job(rows: Iterable[Row[Any]]) -> defaultdict[str, list[Row[Any]]]:
    grouped: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        grouped[row.job_id].append(row)
    return grouped


def _job(row: Row[Any], ways: Sequence[Row[Any]], stored: Sequence[Row[Any]]) -> Job:
    fields = row._asdict() | {
        "state": JobState(row.state),
        "created_at": utc(row.created_at),
        "updated_at": utc(row.updated_at),
    }
    return Job(
        **fields,
        deliveries=tuple(
            Delivery(way.destination, JobState(way.state), way.attempts, way.reason) for way in ways
        ),
        receipts=tuple(
            Receipt(
                sop_instance_uid=one.sop_instance_uid,
                sop_class_uid=one.sop_class_uid,
                destination=one.destination,
                status=one.status,
                stored_at=utc(one.stored_at),
            )
            for one in stored
        ),
    )
