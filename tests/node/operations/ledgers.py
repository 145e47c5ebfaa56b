"""Ledgers with jobs in them, for tests of what an operator sees."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.settings.machine import NodeSection
from vfnode.node.settings.settings import Settings
from vfnode.node.tables import deliveries, jobs, receipts

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
CT1 = "CT1@192.0.2.7"
SILENT = "pacs: PACS at 192.0.2.20:104 does not answer"


def settings_of(spool: Path, **sections: Any) -> Settings:
    """A node with this spool."""
    spool.mkdir(exist_ok=True)
    return Settings(node=NodeSection(spool=spool), **sections)


def job_id(number: int) -> str:
    """As a node makes them: 32 hexadecimal digits."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def add_job(ledger: Ledger, number: int, **changes: Any) -> str:
    """A delivered job of a normal study; one minute after the one before."""
    name, moment = job_id(number), NOON + timedelta(minutes=number)
    key = SeriesKey("ab12", f"1.2.826.0.1.{number}", f"1.2.826.0.1.{number}.2")
    ledger.register(name, key, 133, CT1, 70_000_000)
    ledger.set_state(name, JobState.DELIVERED, "deliver")
    values = {"created_at": moment, "updated_at": moment, "grade": "normal"} | changes
    with ledger.engine.begin() as connection:
        connection.execute(update(jobs).where(jobs.c.job_id == name).values(**values))
    return name


def add_delivery(
    ledger: Ledger,
    name: str,
    destination: str,
    state: JobState,
    attempts: int = 1,
    reason: str = "",
) -> None:
    """A delivery as it stands; the job stays as the test wants it."""
    row = {"job_id": name, "destination": destination, "state": state.value}
    with ledger.engine.begin() as connection:
        connection.execute(insert(deliveries).values(**row, attempts=attempts, reason=reason))


def add_many(ledger: Ledger, count: int) -> None:
    """Jobs with two deliveries and eight receipts each, as a node of months has them."""
    numbers = range(count)
    moments = [NOON + timedelta(minutes=number) for number in numbers]
    with ledger.engine.begin() as connection:
        connection.execute(insert(jobs), [_job(number, moments[number]) for number in numbers])
        connection.execute(
            insert(deliveries),
            [_delivery(number, name) for number in numbers for name in ("pacs", "web")],
        )
        connection.execute(
            insert(receipts),
            [
                _receipt(number, name, each, moments[number])
                for number in numbers
                for name in ("pacs", "web")
                for each in range(4)
            ],
        )


def _job(number: int, moment: datetime) -> dict[str, Any]:
    return {
        "job_id": job_id(number),
        "patient_digest": "ab12",
        "study_instance_uid": f"1.2.826.0.1.{number}",
        "series_instance_uid": f"1.2.826.0.1.{number}.2",
        "instances": 133,
        "image_bytes": 70_000_000,
        "sender": CT1,
        "state": ("DELIVERED", "FAILED", "WAITING")[number % 3],
        "stage": "deliver",
        "grade": "mild",
        "reason": SILENT if number % 3 else "",
        "created_at": moment,
        "updated_at": moment,
    }


def _delivery(number: int, destination: str) -> dict[str, Any]:
    state = ("DELIVERED", "FAILED", "WAITING")[number % 3]
    return {"job_id": job_id(number), "destination": destination, "state": state, "attempts": 1}


def _receipt(number: int, destination: str, each: int, moment: datetime) -> dict[str, Any]:
    return {
        "sop_instance_uid": f"2.25.{number}.{each}",
        "destination": destination,
        "job_id": job_id(number),
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "status": 0,
        "stored_at": moment,
    }
