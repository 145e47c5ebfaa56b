"""Names of jobs as a person gives them: any unique beginning of an identifier, or a UID."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, or_, select

from vfnode.errors import UnknownJobError
from vfnode.node.tables import jobs

SHOWN = 3  #: of the jobs that an ambiguous beginning could mean


def job_ids(engine: Engine, names: Sequence[str]) -> list[str]:
    """The jobs that are meant, each once, in the order of the names.

    Args:
        names: beginnings of job identifiers; or study or series instance UIDs, of which
            all jobs are meant.

    Raises:
        UnknownJobError: a name means no job, or a beginning more than one.
    """
    found = [job_id for name in names for job_id in _meant(engine, name.strip())]
    return list(dict.fromkeys(found))


def job_id(engine: Engine, name: str) -> str:
    """The one job that is meant.

    Raises:
        UnknownJobError: it means no job, or more than one.
    """
    found = job_ids(engine, [name])
    if len(found) > 1:
        raise _ambiguous(name, found)
    return found[0]


def _meant(engine: Engine, name: str) -> list[str]:
    if not name:
        raise UnknownJobError("an empty name means no job; see `vfnode jobs`")
    if "." in name:
        wanted = or_(jobs.c.study_instance_uid == name, jobs.c.series_instance_uid == name)
        limit = None
    else:
        wanted = jobs.c.job_id.startswith(name.lower(), autoescape=True)
        limit = SHOWN + 1
    query = select(jobs.c.job_id).where(wanted).order_by(jobs.c.created_at).limit(limit)
    with engine.connect() as connection:
        found = list(connection.scalars(query))
    if not found:
        raise UnknownJobError(f"there is no job {name}; see `vfnode jobs`")
    if limit and len(found) > 1:
        raise _ambiguous(name, found)
    return found


def _ambiguous(name: str, found: list[str]) -> UnknownJobError:
    more = " and others" if len(found) > SHOWN else ""
    return UnknownJobError(
        f"{name} is the beginning of {', '.join(found[:SHOWN])}{more}; give more of the one "
        "you mean"
    )
