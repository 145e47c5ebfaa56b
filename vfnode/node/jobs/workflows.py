"""The durable workflows: what happens to a series, surviving a kill at any instant.

DBOS records every finished step in the database and goes on after the last one when the
node starts again. A workflow's identifier is made from what it is about, so that the
same series begins it only once.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import structlog
from dbos import DBOS

from vfnode.dicom.reading.series_facts import FactsCache, SeriesFacts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.durable_files import read_json, write_json
from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_steps import DeliverySteps
from vfnode.node.jobs.durable import HALF_OF_PRIORITIES, config, register, register_queues
from vfnode.node.jobs.job import job_id_of
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import Verdict, is_urgent, judge
from vfnode.node.jobs.sweep import Sweep

log = structlog.get_logger()


class Workflows:
    """The durable work of one node; one at a time in a process, as DBOS is."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._steps = Steps(parts)
        self._facts = FactsCache()
        DBOS(config=config(parts.settings))
        self._begin = register(self._steps, DeliverySteps(parts))
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

    def submit(self, key: SeriesKey) -> None:
        """Begin the analysis of a complete series; nothing if it was begun before."""
        paths = self._parts.inbox.instances(key)
        if not paths:
            return
        job_id = job_id_of(key, [path.name for path in paths])
        write_json(job_folder(self._parts.settings, job_id).instances, [str(p) for p in paths])
        is_new = self._parts.ledger.register(job_id, key, len(paths))
        facts = self._study(key)
        if not self._is_chosen(job_id, key, facts):
            return
        priority = self._priority(is_urgent(facts.get(key), self._parts.settings.choice))
        self._begin.analyse(job_id, 1, 0.0, priority)
        log.info("series complete", job_id=job_id, instances=len(paths), known=not is_new)

    def _study(self, key: SeriesKey) -> dict[SeriesKey, SeriesFacts]:
        """The facts of every readable series of a study."""
        inbox = self._parts.inbox
        series = [other for other in inbox.series() if other.study == key.study]
        read = {each: self._facts.facts(each, inbox.instances(each)) for each in series}
        return {each: facts for each, facts in read.items() if facts is not None}

    def _is_chosen(self, job_id: str, key: SeriesKey, study: dict[SeriesKey, SeriesFacts]) -> bool:
        """The verdict on a series; once given it stays, whatever else comes or goes."""
        path = job_folder(self._parts.settings, job_id).choice
        given = read_json(path)
        if given:
            verdict = Verdict(**given)
        else:
            verdict = judge(key, study, self._parts.settings.choice)
            write_json(path, asdict(verdict))
            told = "series chosen" if verdict.is_chosen else "series passed over"
            log.info(told, job_id=job_id, code=verdict.code, reason=verdict.reason)
        job = self._parts.ledger.jobs(job_id)[0]
        if not verdict.is_chosen and job.state is JobState.WAITING:
            self._parts.ledger.set_reason(job_id, verdict.code, verdict.reason)
            self._parts.ledger.set_state(job_id, JobState.REJECTED, "choose")
        return verdict.is_chosen

    def _priority(self, urgent: bool) -> int:
        """Smaller goes first; urgent series lie in the lower half of what there is."""
        tenths = int(time.time() * 10) % HALF_OF_PRIORITIES  # comes round every three years
        if self._parts.settings.choice.order == "newest":
            tenths = HALF_OF_PRIORITIES - tenths
        return 1 + tenths + (0 if urgent else HALF_OF_PRIORITIES)
