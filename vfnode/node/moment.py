"""Moments in UTC, as the database takes them and gives them back."""

from __future__ import annotations

from datetime import UTC, datetime


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def utc(moment: datetime) -> datetime:
    """SQLite gives back the UTC time that it was given, but not that it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
