"""What becomes of complete series: whose they are, which of a study is analysed, and their jobs.

Sweeping only queues them. Headers are read, and jobs begun, in a thread that nobody waits for;
the chosen series of every study comes before the first of those that are passed over.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import structlog

from vfnode.dicom.reading.series_facts import FactsCache, SeriesFacts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.durable_files import write_json
from vfnode.node.jobs.durable import HALF_OF_PRIORITIES
from vfnode.node.jobs.history import EventKind
from vfnode.node.jobs.job import job_id_of
from vfnode.node.jobs.job_folder import job_folder, read_verdict
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import PASSED
from vfnode.node.jobs.parts import Parts
from vfnode.node.jobs.series_choice import Verdict, choose, is_urgent
from vfnode.node.jobs.study import standing_jobs
from vfnode.node.jobs.whose_images import WhoseImages
from vfnode.node.receiving.completeness import Batch, Completeness
from vfnode.node.schema import made_at

Series = Mapping[SeriesKey, Sequence[Path]]  #: with the files of each

log = structlog.get_logger()


class Intake:
    """Takes complete series up.

    Args:
        parts: of the node.
        completeness: hands the series out, and is told what became of them.
        facts: of series, which are read once.
        begin: begins a run of the analysis of a job, with a priority; again has no effect.
    """

    def __init__(
        self,
        parts: Parts,
        completeness: Completeness,
        facts: FactsCache,
        begin: Callable[[str, int, int], None],
    ) -> None:
        self._parts = parts
        self._completeness = completeness
        self._facts = facts
        self._begin = begin
        self._whose = WhoseImages(parts)
        self._made_at_s = made_at(parts.ledger.engine).timestamp()
        self._waiting: list[Batch] = []
        self._passed_over: deque[tuple[SeriesKey, Sequence[Path], Verdict]] = deque()

    def sweep(self) -> None:
        """Queue what is complete; reads nothing."""
        self._waiting.extend(self._completeness.ready())

    def take_up(self) -> None:
        """Take up all that is queued; what cannot be taken up is put back for the next sweep."""
        while self._waiting or self._passed_over:
            if self._waiting:
                batch = min(self._waiting, key=len)  # nobody waits for a study of many series
                self._waiting.remove(batch)
                with self._in_hand(batch):
                    self._take_up(batch)
            else:
                key, paths, verdict = self._passed_over.popleft()
                with self._in_hand((key,)):
                    self._record(key, paths, verdict)

    @contextmanager
    def _in_hand(self, keys: Batch) -> Iterator[None]:
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                self._completeness.put_back(keys)

    def _take_up(self, batch: Batch) -> None:
        """Series of one study UID, of whatever patients."""
        series = {key: paths for key in batch if (paths := self._whose.images(key))}
        for key in set(batch) - set(series):
            self._completeness.taken(key)
        facts = {key: self._facts.facts(key, paths) for key, paths in series.items()}
        if self._lacks_slices(facts):
            self._completeness.put_back(batch)
            return
        for key, verdict in self._verdicts(series, facts).items():
            if not verdict.is_chosen:
                self._passed_over.append((key, series[key], verdict))
                continue
            job_id = self._record(key, series[key], verdict)
            self._begin(job_id, self._priority(facts[key]), 1)
            if verdict.code:
                self._refuse_earlier(key, series, verdict)

    def _refuse_earlier(self, key: SeriesKey, series: Series, verdict: Verdict) -> None:
        """Begin what was measured of a series anew, now that its images name two patients."""
        for job in self._whose.measured_before(key, series):
            self._set_verdict(job.job_id, verdict)
            self._parts.ledger.set_run(job.job_id, job.run + 1)
            self._begin(job.job_id, self._priority(None), job.run + 1)

    def _lacks_slices(self, facts: Mapping[SeriesKey, SeriesFacts | None]) -> bool:
        """Whether one of them has a gap that may still be filled."""
        with_gap = [key for key, found in facts.items() if found is not None and found.has_gap]
        waited_for = [key for key in with_gap if self._completeness.lacks_slices(key)]
        return bool(waited_for)

    def _verdicts(
        self, series: Series, facts: Mapping[SeriesKey, SeriesFacts | None]
    ) -> dict[SeriesKey, Verdict]:
        """A verdict that was given stays; a new one depends on what was chosen before."""
        verdicts = {key: verdict for key in series if (verdict := self._given(key, series[key]))}
        notes: dict[SeriesKey, tuple[str, ...]] = {}
        for key in set(series) - set(verdicts):
            found = self._whose.verdict(key, series)
            if isinstance(found, Verdict):
                verdicts[key] = found
            else:
                notes[key] = found
        for study in {key.study for key in notes}:
            chosen = self._choose({key: facts[key] for key in notes if key.study == study})
            verdicts |= {key: replace(told, notes=notes[key]) for key, told in chosen.items()}
        return verdicts

    def _given(self, key: SeriesKey, paths: Sequence[Path]) -> Verdict | None:
        job_id = job_id_of(key, [path.name for path in paths])
        return read_verdict(job_folder(self._parts.settings, job_id))

    def _choose(self, new: Mapping[SeriesKey, SeriesFacts | None]) -> dict[SeriesKey, Verdict]:
        """Choose among new series of one study, and between them and what was chosen before."""
        rules = self._parts.settings.choice
        standing = [] if rules.series == "all" else standing_jobs(self._parts, next(iter(new)))
        before = {job.series_key: job for job in standing if job.series_key not in new}
        known = {key: self._facts.facts(key, self._parts.inbox.instances(key)) for key in before}
        held = {key: found for key, found in known.items() if found is not None}
        verdicts = choose({**held, **new}, rules)
        for key in held:
            queued = (before[key].state, before[key].stage) == (JobState.WAITING, "queued")
            if queued and not verdicts[key].is_chosen:
                self._set_verdict(before[key].job_id, verdicts[key])
        return {key: verdicts[key] for key in new}

    def _record(self, key: SeriesKey, paths: Sequence[Path], verdict: Verdict) -> str:
        """Enter the job of a series; a job that is known already stays as it is."""
        job_id = job_id_of(key, [path.name for path in paths])
        folder = job_folder(self._parts.settings, job_id)
        write_json(folder.instances, [str(path) for path in paths])
        sender = self._completeness.sender_of(key)
        size = sum(path.stat().st_size for path in paths)
        is_new = self._parts.ledger.register(job_id, key, len(paths), sender, size)
        if is_new:
            self._tell_received(job_id, paths, sender)
        if is_new or read_verdict(folder) is None:
            self._set_verdict(job_id, verdict)
        self._completeness.taken(key)
        log.info(
            "series received",
            job_id=job_id,
            study_instance_uid=key.study_instance_uid,
            series_instance_uid=key.series_instance_uid,
            instances=len(paths),
            image_bytes=size,
            sender=sender,
            known=not is_new,
        )
        return job_id

    def _tell_received(self, job_id: str, paths: Sequence[Path], sender: str) -> None:
        """Begin the story of a job; after a lost database, which is not its first one."""
        ledger = self._parts.ledger
        words = f"{len(paths)} images from {sender or 'a sender that is not known any more'}"
        ledger.history.note(job_id, EventKind.RECEIVED, words)
        oldest_s = min(path.stat().st_mtime for path in paths)
        has_results = job_folder(self._parts.settings, job_id).results.exists()
        if has_results or oldest_s < self._made_at_s:
            ledger.set_may_be_held(job_id)
            words = "it was here before this database: archives are asked before it is sent"
            ledger.history.note(job_id, EventKind.RECEIVED, words)

    def _set_verdict(self, job_id: str, verdict: Verdict) -> None:
        write_json(job_folder(self._parts.settings, job_id).choice, asdict(verdict))
        told = "series chosen" if verdict.is_chosen else "series passed over"
        log.info(told, job_id=job_id, code=verdict.code, reason=verdict.reason)
        self._parts.ledger.history.note(job_id, EventKind.CHOSEN, f"{told}: {verdict.reason}")
        if not verdict.is_chosen:
            self._parts.ledger.set_reason(job_id, verdict.code, verdict.reason)
            self._parts.ledger.set_state(job_id, JobState.REJECTED, PASSED)

    def _priority(self, facts: SeriesFacts | None) -> int:
        """Smaller goes first; urgent series lie in the lower half of what there is."""
        rules = self._parts.settings.choice
        tenths = int(time.time() * 10) % HALF_OF_PRIORITIES  # comes round every three years
        if rules.order == "newest":
            tenths = HALF_OF_PRIORITIES - tenths
        return 1 + tenths + (0 if is_urgent(facts, rules) else HALF_OF_PRIORITIES)
