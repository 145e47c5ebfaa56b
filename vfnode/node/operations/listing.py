"""Jobs as a list: one query, whatever is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Select, and_, exists, func, or_, select

from vfnode.node.moment import utc
from vfnode.node.tables import deliveries, jobs


class GradeName(Enum):
    """The grades of a patient, as result.json names them."""

    NORMAL = "normal"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


@dataclass(frozen=True)
class JobFilter:
    """Filter of a list of jobs; an empty field does not matter."""

    job_ids: Sequence[str] = ()
    states: Sequence[str] = ()
    grades: Sequence[str] = ()
    since: datetime | None = None  #: received then or later
    before: datetime | None = None  #: received earlier
    changed_since: datetime | None = None
    sender: str = ""  #: AE title, or AE title@address
    destination: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    reason_code: str = ""
    limit: int = 0  #: the newest so many; 0 for all


@dataclass(frozen=True)
class JobLine:
    """One job of a list."""

    job_id: str
    state: str
    stage: str
    grade: str
    instances: int
    image_bytes: int
    sender: str
    received_at: datetime  #: when its series was complete
    updated_at: datetime
    study_instance_uid: str
    series_instance_uid: str
    reason_code: str
    reason: str
    deliveries: dict[str, str]  #: destination -> state


def list_jobs(engine: Engine, wanted: JobFilter | None = None) -> list[JobLine]:
    """The jobs that are wanted, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(_query(wanted or JobFilter())).all()
    return [_line(row) for row in reversed(rows)]


def _query(wanted: JobFilter) -> Select[Any]:
    """Newest first, so that a limit keeps the newest."""
    way = deliveries.c.destination + "=" + deliveries.c.state
    ways = select(func.aggregate_strings(way, ",")).where(deliveries.c.job_id == jobs.c.job_id)
    query = (
        select(jobs, ways.scalar_subquery().label("ways"))
        .where(*_conditions(wanted))
        .order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    )
    return query.limit(wanted.limit) if wanted.limit else query


def _conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    equal = {
        jobs.c.study_instance_uid: wanted.study_instance_uid,
        jobs.c.series_instance_uid: wanted.series_instance_uid,
        jobs.c.reason_code: wanted.reason_code,
    }
    found = [column == value for column, value in equal.items() if value]
    several = {
        jobs.c.job_id: wanted.job_ids,
        jobs.c.state: wanted.states,
        jobs.c.grade: wanted.grades,
    }
    found += [column.in_(values) for column, values in several.items() if values]
    if wanted.since is not None:
        found.append(jobs.c.created_at >= wanted.since)
    if wanted.before is not None:
        found.append(jobs.c.created_at < wanted.before)
    if wanted.changed_since is not None:
        found.append(jobs.c.updated_at >= wanted.changed_since)
    if wanted.sender:
        by_title = jobs.c.sender.startswith(f"{wanted.sender}@", autoescape=True)
        found.append(or_(jobs.c.sender == wanted.sender, by_title))
    if wanted.destination:
        to_it = deliveries.c.destination == wanted.destination
        found.append(exists().where(and_(deliveries.c.job_id == jobs.c.job_id, to_it)))
    return found


def _line(row: Row[Any]) -> JobLine:
    ways = (row.ways or "").split(",") if row.ways else []
    return JobLine(
        job_id=row.job_id,
        state=row.state,
        stage=row.stage,
        grade=row.grade,
        instances=row.instances,
        image_bytes=row.image_bytes,
        sender=row.sender,
        received_at=utc(row.created_at),
        updated_at=utc(row.updated_at),
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        reason_code=row.reason_code,
        reason=row.reason,
        deliveries=dict(sorted((way.split("=", 1)[0], way.split("=", 1)[1]) for way in ways)),
    )
