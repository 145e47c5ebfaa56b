"""``vfnode jobs``: what was received and what became of it, as a list and one by one."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from vfnode.cli import columns
from vfnode.cli.job_lines import AS_JSON, IN_PIPE, ON_SCREEN, Form
from vfnode.cli.options import SettingsFile, Since, moment_of
from vfnode.node.jobs.job_state import JobState
from vfnode.node.operations.access import database_of
from vfnode.node.operations.listing import GradeName, JobFilter, list_jobs
from vfnode.node.settings.settings import load_settings

States = Annotated[
    list[JobState] | None,
    typer.Option(metavar="STATE", help=f"{', '.join(JobState.__members__)}; may be repeated."),
]
Grades = Annotated[
    list[GradeName] | None,
    typer.Option(metavar="GRADE", help="normal, mild, moderate, severe; may be repeated."),
]

LOOK_S = 2.0  #: between two looks of --follow

app = typer.Typer(
    help="List what was received and what became of it; `jobs show JOB` tells the whole story.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def list_command(  # noqa: PLR0913, PLR0917 - a parameter an option
    context: typer.Context,
    settings: SettingsFile = None,
    state: States = None,
    grade: Grades = None,
    since: Since = "",
    sender: Annotated[str, typer.Option(help="AE title, or AE title@address.")] = "",
    destination: Annotated[str, typer.Option(help="With a delivery to this one.")] = "",
    study: Annotated[str, typer.Option(help="Study Instance UID.")] = "",
    series: Annotated[str, typer.Option(help="Series Instance UID.")] = "",
    code: Annotated[str, typer.Option(help="With this reason code.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="The newest so many; 0 for all.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as jobs change.")] = False,
) -> None:
    """List what was received and what became of it, oldest first.

    `vfnode jobs show JOB` tells the whole story of one. Into a pipe every value is whole, with
    tabs between, and moments are UTC.
    """
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    wanted = JobFilter(
        states=[wanted_state.value for wanted_state in state or ()],
        grades=[wanted_grade.value for wanted_grade in grade or ()],
        since=moment_of(since),
        sender=sender,
        destination=destination,
        study_instance_uid=study,
        series_instance_uid=series,
        reason_code=code,
        limit=limit,
    )
    with database_of(load_settings(settings)) as engine:
        form = _form(as_json=as_json)
        _print_list(engine, wanted, form)
        if follow:
            _follow(engine, wanted, form)


@app.command()
def show(
    context: typer.Context,
    job: Annotated[
        str,
        typer.Argument(
            help="Any unique beginning of its identifier, or the UID of its study or series."
        ),
    ],
    settings: SettingsFile = None,
) -> None:
    """Tell the whole story of a job: from whom it came, each step, each attempt to deliver."""
    # Imported here: a list does without what reads the spool.
    from vfnode.cli.job_story import story_text  # noqa: PLC0415
    from vfnode.node.operations.naming import job_ids  # noqa: PLC0415
    from vfnode.node.operations.story import story_of  # noqa: PLC0415

    file: Path | None = settings or context.obj
    loaded = load_settings(file)
    with database_of(loaded) as engine:
        stories = [story_of(loaded, engine, job_id) for job_id in job_ids(engine, [job])]
    print("\n\n".join(story_text(story) for story in stories))


def _form(*, as_json: bool) -> Form:
    if as_json:
        return AS_JSON
    return ON_SCREEN if columns.is_terminal() else IN_PIPE


def _print_list(engine: Engine, wanted: JobFilter, form: Form) -> None:
    found = list_jobs(engine, wanted)
    if not found and form is ON_SCREEN:
        print("no such jobs" if wanted != JobFilter() else "no jobs yet")
        return
    if form.heading:
        print(form.heading)
    form.print_all(found)


def _follow(engine: Engine, wanted: JobFilter, form: Form) -> None:
    """Print each job again that has changed, until a person ends it."""
    seen = {job.job_id: job for job in list_jobs(engine, wanted)}
    while True:
        since = datetime.now(UTC)
        time.sleep(LOOK_S)
        found = list_jobs(engine, replace(wanted, changed_since=since, limit=0))
        changed = [job for job in found if seen.get(job.job_id) != job]
        form.print_all(changed)
        seen |= {job.job_id: job for job in changed}
