"""One job as lines of text: for a screen of 80 columns, for a pipe, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from vfnode.cli.columns import (
    Column,
    ending,
    heading_of,
    minute,
    row_of,
    second,
    shortened,
    tab_separated,
    terminal_width,
)
from vfnode.node.operations.listing import JobLine

ID_SHOWN = 8  #: characters of an identifier on a screen; any unique beginning names the job
SCREEN = (
    Column("JOB", ID_SHOWN),
    Column("STATE", 9),
    Column("GRADE", 8),
    Column("IMAGES", 6, is_number=True),
    Column("RECEIVED, UTC", 16),
    Column("SENDER", 12),
    Column("SERIES", 9),
)
WITH_A_REASON = {"WAITING", "REJECTED", "FAILED"}
INDENT = " " * (ID_SHOWN + 2)
PIPE = (
    "JOB",
    "STATE",
    "STAGE",
    "GRADE",
    "IMAGES",
    "RECEIVED",
    "UPDATED",
    "SENDER",
    "STUDY",
    "SERIES",
    "DELIVERIES",
    "CODE",
    "REASON",
)


@dataclass(frozen=True)
class Form:
    """A way to write a list of jobs."""

    heading: str  #: empty for none
    lines: Callable[[JobLine], Iterator[str]]

    def print_all(self, found: Sequence[JobLine]) -> None:
        """Print jobs, without the heading."""
        for job in found:
            for line in self.lines(job):
                print(line, flush=False)


def screen_lines(job: JobLine) -> Iterator[str]:
    """A line of at most 80 characters, and one below it that says why a job is not done."""
    yield row_of(
        SCREEN,
        [
            job.job_id[:ID_SHOWN],
            job.state,
            job.grade or "-",
            str(job.instances),
            minute(job.received_at),
            job.sender.partition("@")[0] or "-",
            ending(job.series_instance_uid, SCREEN[-1].width),
        ],
    )
    if job.reason and job.state in WITH_A_REASON:
        yield INDENT + shortened(job.reason, terminal_width() - len(INDENT))


def pipe_lines(job: JobLine) -> Iterator[str]:
    """One line of whole values between tabs; - stands for none."""
    ways = ",".join(f"{name}={state}" for name, state in job.deliveries.items())
    cells = (
        job.job_id,
        job.state,
        job.stage,
        job.grade,
        str(job.instances),
        second(job.received_at),
        second(job.updated_at),
        job.sender,
        job.study_instance_uid,
        job.series_instance_uid,
        ways,
        job.reason_code,
        job.reason,
    )
    yield tab_separated(cell or "-" for cell in cells)


def json_lines(job: JobLine) -> Iterator[str]:
    """One JSON object, its moments as in 2026-11-27T09:58:01Z."""
    values = {
        name: second(value) if isinstance(value, datetime) else value
        for name, value in asdict(job).items()
    }
    yield json.dumps(values, ensure_ascii=False)


ON_SCREEN = Form(heading_of(SCREEN), screen_lines)
IN_PIPE = Form("\t".join(PIPE), pipe_lines)
AS_JSON = Form("", json_lines)
