"""Everything that a person told the node: who, what, on which job or destination, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Engine, insert, select, update

from vfnode.node.jobs.history import EventKind, History
from vfnode.node.moment import now_utc, utc
from vfnode.node.tables import actions

log = structlog.get_logger()


@dataclass(frozen=True)
class Order:
    """Person who wants something done, and the reason."""

    who: str
    reason: str = ""

    def __str__(self) -> str:
        return f"by {self.who}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Action:
    """One thing that a person did."""

    at: datetime
    action: str
    subject: str
    who: str
    reason: str


class Journal:
    """The actions of people, in the database of a node."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_job(self, action: str, job_id: str, order: Order) -> None:
        """A person did something to a job; its story tells it as well."""
        self.note(action, job_id, order)
        History(self._engine).note(job_id, EventKind.ACTION, f"{action} {order}")

    def note(self, action: str, subject: str, order: Order) -> None:
        """A person did something to a job or a destination."""
        row = insert(actions).values(
            at=now_utc(), action=action, subject=subject, who=order.who, reason=order.reason
        )
        with self._engine.begin() as connection:
            connection.execute(row)

    def all(self) -> list[Action]:
        """Everything, from the beginning."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(actions).order_by(actions.c.action_id)).all()
        return [Action(utc(r.at), r.action, r.subject, r.who, r.reason) for r in rows]

    def tell(self) -> None:
        """Write what is not in the node's log yet into it: others did it in other processes."""
        new = select(actions).where(actions.c.logged.is_(False)).order_by(actions.c.action_id)
        with self._engine.connect() as connection:
            rows = connection.execute(new).all()
        for row in rows:
            log.info(
                "action",
                action=row.action,
                subject=row.subject,
                who=row.who,
                reason=row.reason,
                done_at=utc(row.at).isoformat(),
            )
            told = update(actions).where(actions.c.action_id == row.action_id)
            with self._engine.begin() as connection:
                connection.execute(told.values(logged=True))
