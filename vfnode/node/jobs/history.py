"""The story of each job: what happened to it, line by line, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy import Engine, insert, select

from vfnode.node.database import patient
from vfnode.node.moment import now_utc, utc
from vfnode.node.tables import events


class EventKind(Enum):
    """Subject of a line of the story."""

    RECEIVED = "received"  #: the series was complete: from whom, how many images
    CHOSEN = "chosen"  #: or passed over, and why
    STAGE = "stage"  #: the work went on to this stage
    ATTEMPT = "attempt"  #: one try to deliver, with the answer of the destination in words
    ACTION = "action"  #: a person did something: who, what, why


@dataclass(frozen=True)
class Event:
    """One line of a job's story."""

    at: datetime
    kind: EventKind
    destination: str  #: empty where the line is about none
    text: str


class History:
    """The stories of all jobs, in the database of a node."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @patient
    def note(self, job_id: str, kind: EventKind, text: str, destination: str = "") -> None:
        """Add a line to a job's story; a step that runs twice leaves two lines."""
        line = insert(events).values(
            job_id=job_id, at=now_utc(), kind=kind.value, destination=destination, text=text
        )
        with self._engine.begin() as connection:
            connection.execute(line)

    @patient
    def of(self, job_id: str) -> list[Event]:
        """The story of one job, from its beginning."""
        query = select(events).where(events.c.job_id == job_id).order_by(events.c.event_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Event(utc(r.at), EventKind(r.kind), r.destination, r.text) for r in rows]
