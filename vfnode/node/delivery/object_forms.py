"""The forms of one object: what a destination that refuses its SOP class may take instead.

Which form is sent is decided by what the destination accepts when an association opens, and by
its answer to each form.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable
from pathlib import Path

from vfnode.dicom.results.fracture_sr_2d import FALLBACKS, flat_report, flat_uid
from vfnode.durable_files import write_whole
from vfnode.node.delivery.result_object import ResultObject

FOLDER = "other-forms"


def forms_of(result: ResultObject) -> tuple[ResultObject, ...]:
    """The object itself, then what may stand for it, best first; their files come when needed."""
    others = (
        ResultObject(
            path=result.path.parent / FOLDER / f"{sop_class}.dcm",
            sop_class_uid=str(sop_class),
            sop_instance_uid=flat_uid(result.sop_instance_uid, str(sop_class)),
            transfer_syntax_uid=result.transfer_syntax_uid,
        )
        for sop_class in FALLBACKS.get(result.sop_class_uid, ())
    )
    return (result, *others)


def written_form(form: ResultObject, result: ResultObject) -> ResultObject:
    """A form of an object with its file written, also where a damaged one may stand.

    Raises:
        ResultError: the form cannot be made.
    """
    if form is not result:
        _write(form, result.path.parent)
    return form


def held_form(result: ResultObject, received: Collection[str]) -> ResultObject | None:
    """The form of an object that a destination has; None where it has none."""
    held: Iterable[ResultObject] = (
        form for form in forms_of(result) if form.sop_instance_uid in received
    )
    return next(iter(held), None)


def _write(form: ResultObject, results: Path) -> None:
    buffer = io.BytesIO()
    flat_report(results, form.sop_class_uid).save_as(buffer, enforce_file_format=True)
    write_whole(form.path, buffer.getvalue())
