"""A job as people and programs see it: its state, its deliveries and their receipts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.jobs.job_state import JobState


@dataclass(frozen=True)
class Receipt:
    """One object that a destination has stored."""

    sop_instance_uid: str
    sop_class_uid: str
    destination: str
    status: int  #: of PS3.4 table B.2-1
    stored_at: datetime
    evidence: str = "success"  #: success, query, commitment; lost: counts no more


@dataclass(frozen=True)
class Delivery:
    """The way of one job's objects to one destination."""

    destination: str
    state: JobState
    attempts: int
    reason: str
    next_at: datetime | None = None  #: of the next attempt, where it waits for one


@dataclass(frozen=True)
class Job:
    """One analysis of one series as it was when it became complete."""

    job_id: str
    patient_digest: str
    study_instance_uid: str
    series_instance_uid: str
    instances: int
    state: JobState
    stage: str  #: what the job does or did last: queued, assemble, compute, build, deliver
    reason_code: str  #: empty without a reason
    reason: str
    run: int  #: 1, and one more for each retry by a person
    created_at: datetime
    updated_at: datetime
    replaces: str = ""  #: job whose report the one of this job replaces
    sender: str = ""  #: AE title@address; empty where it is not known any more
    image_bytes: int = 0
    grade: str = ""  #: of the patient; empty where there is none
    may_be_held: bool = False  #: sent, perhaps, before the database was lost
    renewed_at: datetime | None = None  #: a person had it analysed anew
    let_go_at: datetime | None = None  #: a person lets the spool forget it
    deliveries: tuple[Delivery, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    @property
    def results_date(self) -> datetime:
        """When its analysis was asked for: the date of its report."""
        return self.renewed_at or self.created_at

    @property
    def series_key(self) -> SeriesKey:
        """Where the images of the job stand in the inbox."""
        return SeriesKey(self.patient_digest, self.study_instance_uid, self.series_instance_uid)


def job_id_of(key: SeriesKey, names: Sequence[str]) -> str:
    """Identifier of the job on a series with exactly these files."""
    parts = [key.patient_digest, key.study_instance_uid, key.series_instance_uid, *sorted(names)]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:32]
