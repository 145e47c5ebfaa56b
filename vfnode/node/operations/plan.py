"""Effect of an order, job by job, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """Effect of an order on one job."""

    job_id: str
    words: str  #: what is done; or why nothing is
    do: Callable[[], None] | None = None  #: None where there is nothing to do


def carry_out(plan: list[Planned]) -> int:
    """Do what is planned; done twice it has no further effect.

    Returns:
        Number of jobs that something was done to.
    """
    to_do = [planned.do for planned in plan if planned.do is not None]
    for do in to_do:
        do()
    return len(to_do)
