"""Where a job, or one delivery of it, stands."""

from __future__ import annotations

from enum import Enum


class JobState(Enum):
    """Where a job, or one delivery of it, stands."""

    WAITING = "WAITING"  #: not begun, or not before a destination answers again
    RUNNING = "RUNNING"
    DELIVERED = "DELIVERED"  #: every destination has every object
    REJECTED = "REJECTED"  #: unsuitable input; final, with a coded reason
    FAILED = "FAILED"  #: needs a person


FINAL = {JobState.DELIVERED, JobState.REJECTED, JobState.FAILED}
