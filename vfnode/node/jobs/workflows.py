"""The durable workflows: what happens to a series, surviving a kill at any instant.

DBOS records every finished step in the database and goes on after the last one when the
node starts again. A workflow's identifier is made from what it is about, so that the
same series begins it only once.
"""

from __future__ import annotations

from dbos import DBOS

from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_steps import DeliverySteps
from vfnode.node.jobs.durable import config, register, register_queues
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.study_steps import StudySteps
from vfnode.node.jobs.sweep import Sweep


class Workflows:
    """The durable work of one node; one at a time in a process, as DBOS is."""

    def __init__(self, parts: Parts, facts: FactsCache) -> None:
        self._parts = parts
        self._steps = Steps(parts)
        DBOS(config=config(parts.settings))
        self._begin = register(self._steps, StudySteps(parts, facts), DeliverySteps(parts))
        sections = {section.name: section for section in parts.settings.destinations}
        self._sweep = Sweep(parts.ledger, self._steps, self._begin, sections)

    def start(self) -> None:
        """Go on with what was begun, and take new work."""
        DBOS.launch()
        register_queues()

    def sweep(self) -> None:
        """Take up what has lost its worker; begin at once what waits by a wrong clock."""
        self._sweep.look()

    def stop(self, patience_s: int) -> None:
        """Take no more work; what is unfinished then goes on after the next start."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience_s)

    def begin(self, job_id: str, priority: int, run: int) -> None:
        """Begin a run of the analysis of a job; nothing if it was begun before."""
        self._begin.analyse(job_id, run, 0.0, priority)
