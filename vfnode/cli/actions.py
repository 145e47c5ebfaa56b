"""Commands that act on jobs and destinations: each lists first what it does, and is logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vfnode.cli import columns
from vfnode.cli.job_lines import ID_SHOWN
from vfnode.cli.options import By, DryRun, Jobs, Reason, SettingsFile, Since, moment_of, operator
from vfnode.errors import VfnodeError
from vfnode.node.jobs.job_state import JobState
from vfnode.node.operations.access import database_of
from vfnode.node.operations.listing import JobFilter, list_jobs
from vfnode.node.operations.naming import job_ids
from vfnode.node.settings.settings import Settings, load_settings

if TYPE_CHECKING:
    from vfnode.node.operations.plan import Planned

Again = Annotated[
    bool,
    typer.Option("--again", help="Also what it has: it is asked, and gets what it lacks."),
]
Destination = Annotated[str, typer.Argument(metavar="DESTINATION", help="Name in the settings.")]


def retry(
    job: Jobs = None,
    settings: SettingsFile = None,
    all_jobs: Annotated[
        bool, typer.Option("--all", help="Every job that FAILED or waits for a destination.")
    ] = False,
    code: Annotated[str, typer.Option(help="With --all: only those with this reason code.")] = "",
    dry_run: DryRun = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Begin failed jobs once more, and deliveries that wait at once.

    What was delivered is not sent again.
    """
    from vfnode.node.operations.acting import desk, plan_retry  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    loaded = load_settings(settings)
    open_ones = JobFilter(states=[JobState.FAILED.value, JobState.WAITING.value], reason_code=code)
    names = _chosen(loaded, job, open_ones if all_jobs else None, "JOB... or --all")
    with desk(loaded, Order(operator(by), reason)) as at:
        _carry_out(plan_retry(at, names), dry_run=dry_run)


def deliver(
    to: Annotated[str, typer.Option(metavar="NAME", help="Destination in the settings.")],
    job: Jobs = None,
    settings: SettingsFile = None,
    since: Since = "",
    again: Again = False,
    dry_run: DryRun = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Send the stored results of jobs to a destination, also to one that is new.

    What it has a receipt for is not sent again.
    """
    from vfnode.node.operations.acting import desk, plan_delivery  # noqa: PLC0415
    from vfnode.node.operations.holding import require_destination  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    loaded = load_settings(settings)
    require_destination(loaded, to)
    names = _chosen(loaded, job, _received(since), "JOB... or --since DATE")
    with desk(loaded, Order(operator(by), reason)) as at:
        _carry_out(plan_delivery(at, names, to, again=again), dry_run=dry_run)


def reanalyse(
    reason: Annotated[str, typer.Option(help="Reason, for the log and the job's story.")],
    job: Jobs = None,
    settings: SettingsFile = None,
    since: Since = "",
    dry_run: DryRun = False,
    by: By = "",
) -> None:
    """Analyse series anew, with today's models and settings; new reports name the old ones.

    New studies go first.
    """
    from vfnode.node.operations.acting import desk, plan_renewal  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    loaded = load_settings(settings)
    names = _chosen(loaded, job, _received(since), "JOB... or --since DATE")
    with desk(loaded, Order(operator(by), reason)) as at:
        _carry_out(plan_renewal(at, names), dry_run=dry_run)


def purge(
    job: Jobs = None,
    settings: SettingsFile = None,
    before: Annotated[
        str, typer.Option(help="Every finished job received before: as --since elsewhere.")
    ] = "",
    dry_run: DryRun = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Remove images and results of finished jobs from the spool, before their days are over.

    The running node removes them within half a minute; what is not finished is never removed.
    """
    from vfnode.node.operations.acting import desk, plan_purge  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    loaded = load_settings(settings)
    old = JobFilter(states=["DELIVERED", "REJECTED"], before=moment_of(before)) if before else None
    names = _chosen(loaded, job, old, "JOB... or --before DATE")
    with desk(loaded, Order(operator(by), reason)) as at:
        _carry_out(plan_purge(at, names), dry_run=dry_run)


def hold(
    destination: Destination, settings: SettingsFile = None, reason: Reason = "", by: By = ""
) -> None:
    """Send nothing to a destination until it is released; its deliveries wait."""
    from vfnode.node.operations import holding  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    is_new = holding.hold(load_settings(settings), destination, Order(operator(by), reason))
    print(f"{destination} is held" if is_new else f"{destination} was held already")


def release(
    destination: Destination, settings: SettingsFile = None, reason: Reason = "", by: By = ""
) -> None:
    """Go on sending to a destination; what waited begins within half a minute."""
    from vfnode.node.operations import holding  # noqa: PLC0415
    from vfnode.node.operations.journal import Order  # noqa: PLC0415

    was_held = holding.release(load_settings(settings), destination, Order(operator(by), reason))
    print(f"{destination} is released" if was_held else f"{destination} was not held")


def _received(since: str) -> JobFilter | None:
    return JobFilter(since=moment_of(since)) if since else None


def _chosen(
    settings: Settings, names: Sequence[str] | None, wanted: JobFilter | None, how: str
) -> list[str]:
    """Identifiers of the jobs that a command is about.

    Raises:
        BadParameter: neither jobs nor a way to choose them were given.
    """
    if not names and wanted is None:
        raise typer.BadParameter(f"give {how}")
    with database_of(settings) as engine:
        found = job_ids(engine, names or [])
        if wanted is not None:
            found += [job.job_id for job in list_jobs(engine, wanted)]
    return list(dict.fromkeys(found))


def _carry_out(plan: list[Planned], *, dry_run: bool) -> None:
    """Print a plan, and carry it out unless it was only asked for.

    Raises:
        VfnodeError: there was nothing to do, of jobs that were named.
    """
    from vfnode.node.operations.plan import carry_out  # noqa: PLC0415

    for planned in plan:
        shown = planned.job_id[:ID_SHOWN] if columns.is_terminal() else planned.job_id
        print(f"{shown}  {planned.words}")
    to_do = sum(planned.do is not None for planned in plan)
    if dry_run:
        print(f"dry run: {to_do} of {columns.counted(len(plan), 'job')} would be changed")
        return
    done = carry_out(plan)
    print(f"{done} of {columns.counted(len(plan), 'job')} changed")
    if plan and not done and len(plan) == 1:
        raise VfnodeError(f"nothing was done: {plan[0].words}")
