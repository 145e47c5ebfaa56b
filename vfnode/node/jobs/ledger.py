"""The ledger: jobs, one per content of a series, with their deliveries and receipts.

It says where things stand; what has to be done next stands in the durable workflows.
Every entry may be made twice with the same result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, func, select, true

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.database import check, open_database, patient
from vfnode.node.database_faults import database_errors_named
from vfnode.node.jobs.delivery_entries import DeliveryEntries
from vfnode.node.jobs.history import EventKind, History
from vfnode.node.jobs.job import Delivery, Job, Receipt
from vfnode.node.jobs.job_state import JobState
from vfnode.node.moment import now_utc, utc
from vfnode.node.schema import make_tables
from vfnode.node.tables import deliveries, jobs, receipts

PASSED = "choose"  #: stage of a job whose series was passed over


class Ledger(DeliveryEntries):
    """Jobs, deliveries and receipts in the database of a node."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.history = History(engine)

    @classmethod
    def open(cls, url: str) -> Ledger:
        """The ledger in this database; its tables are made where they are missing.

        Raises:
            SettingsError: the URL is at fault, or the database is of another release.
            InstallationError: it is away, locked, full, damaged, or cannot be written.
        """
        with database_errors_named(url):
            engine = open_database(url)
            make_tables(engine)
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

    def set_grade(self, job_id: str, grade: str) -> None:
        """Record the grade of the patient; empty where none could be given."""
        self._update(jobs, {"job_id": job_id}, grade=grade)

    def set_replaces(self, job_id: str, replaced: str) -> None:
        """The report of a job replaces that of another one; the story of both says so."""
        self._update(jobs, {"job_id": job_id}, replaces=replaced)
        self.history.note(job_id, EventKind.STAGE, f"report replaces that of job {replaced}")
        self.history.note(replaced, EventKind.STAGE, f"report is replaced by that of job {job_id}")

    def set_may_be_held(self, job_id: str) -> None:
        """Its results may have been sent before this database was made."""
        self._update(jobs, {"job_id": job_id}, may_be_held=True)

    def renew(self, job_id: str, moment: datetime) -> None:
        """A person has it analysed anew."""
        self._update(jobs, {"job_id": job_id}, renewed_at=moment)

    def let_go(self, job_id: str, moment: datetime | None) -> None:
        """A person lets the spool forget its images and its results; None once that is done."""
        self._update(jobs, {"job_id": job_id}, let_go_at=moment)

    def let_go_jobs(self) -> list[Job]:
        """The jobs that a person let go of and that are still there."""
        return self._select(jobs.c.let_go_at.is_not(None))

    def set_run(self, job_id: str, run: int) -> None:
        """A person started the job once more."""
        self._update(jobs, {"job_id": job_id}, run=run)

    def jobs(self, job_id: str | None = None, series_uid: str | None = None) -> list[Job]:
        """All jobs, oldest first, or those with this identifier or of this series."""
        wanted: list[ColumnElement[bool]] = [true()]
        if job_id is not None:
            wanted.append(jobs.c.job_id == job_id)
        if series_uid is not None:
            wanted.append(jobs.c.series_instance_uid == series_uid)
        return self._select(*wanted)

    def chosen_jobs(self, study_uid: str) -> list[Job]:
        """The jobs of a study, of whatever patients, whose series were not passed over."""
        return self._select(jobs.c.study_instance_uid == study_uid, jobs.c.stage != PASSED)

    def passed_over_jobs(self, study_uid: str) -> list[Job]:
        """The others."""
        return self._select(jobs.c.study_instance_uid == study_uid, jobs.c.stage == PASSED)

    @patient
    def _select(self, *wanted: ColumnElement[bool]) -> list[Job]:
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
        "renewed_at": utc(row.renewed_at) if row.renewed_at else None,
        "let_go_at": utc(row.let_go_at) if row.let_go_at else None,
    }
    return Job(
        **fields,
        deliveries=tuple(
            Delivery(
                way.destination,
                JobState(way.state),
                way.attempts,
                way.reason,
                utc(way.next_at) if way.next_at else None,
            )
            for way in ways
        ),
        receipts=tuple(
            Receipt(
                sop_instance_uid=one.sop_instance_uid,
                sop_class_uid=one.sop_class_uid,
                destination=one.destination,
                status=one.status,
                stored_at=utc(one.stored_at),
                evidence=one.evidence,
            )
            for one in stored
        ),
    )
