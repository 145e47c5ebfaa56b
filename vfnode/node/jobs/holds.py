"""Destinations that a person holds: nothing is sent there until the hold is released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from vfnode.node.database import patient
from vfnode.node.moment import now_utc, utc
from vfnode.node.tables import holds


@dataclass(frozen=True)
class Hold:
    """Hold of a destination: person, time and reason."""

    destination: str
    held_at: datetime
    who: str
    reason: str

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"held by {self.who} since {self.held_at:%Y-%m-%d %H:%M} UTC{why}"


class Holds:
    """The holds of a node, in its database; each entry may be made twice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @patient
    def hold(self, destination: str, who: str, reason: str) -> bool:
        """Hold a destination.

        Returns:
            Whether it was free before; a hold that there is stays as it is.
        """
        row = insert(holds).values(
            destination=destination, held_at=now_utc(), who=who, reason=reason
        )
        try:
            with self._engine.begin() as connection:
                connection.execute(row)
        except IntegrityError:
            return False
        return True

    @patient
    def release(self, destination: str) -> bool:
        """End a hold.

        Returns:
            Whether there was one.
        """
        with self._engine.begin() as connection:
            ended = connection.execute(delete(holds).where(holds.c.destination == destination))
        return bool(ended.rowcount)

    @patient
    def held(self) -> dict[str, Hold]:
        """The holds that there are, by destination."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(holds)).all()
        return {r.destination: Hold(r.destination, utc(r.held_at), r.who, r.reason) for r in rows}
