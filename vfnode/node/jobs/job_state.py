"""State of a job, or of one delivery of it."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from vfnode.spine.reason import Reason


class JobState(Enum):
    """State of a job, or of one delivery of it."""

    WAITING = "WAITING"  #: not begun, or not before a destination answers again
    RUNNING = "RUNNING"
    DELIVERED = "DELIVERED"  #: every destination has every object
    REJECTED = "REJECTED"  #: unsuitable input; final, with a coded reason
    FAILED = "FAILED"  #: needs a person
    CLOSED = "CLOSED"  #: a delivery alone: its destination is no longer in the settings


FINAL = {JobState.DELIVERED, JobState.REJECTED, JobState.FAILED}


def state_of(deliveries: Collection[JobState], reason_code: str) -> JobState:
    """The state of a job whose results are there, from the states of its deliveries.

    Args:
        deliveries: the state of each; none where there are no destinations.
        reason_code: of the job; not empty where its results say that nothing was measured.
    """
    open_ones = {state for state in deliveries if state is not JobState.CLOSED}
    if deliveries and not open_ones:
        return JobState.FAILED  # nobody has the results
    for state in (JobState.RUNNING, JobState.WAITING, JobState.FAILED):
        if state in open_ones:
            return state
    if reason_code == Reason.COMPUTE_FAILED.code:  # told, and still a person's work
        return JobState.FAILED
    return JobState.REJECTED if reason_code else JobState.DELIVERED
