"""A DICOM object on its way to a destination."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.durable_files import sealed_files


@dataclass(frozen=True)
class ResultObject:
    """One object of a job's results."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


#: Called with an object and the status (PS3.4 table B.2-1) it was stored with.
OnStored = Callable[[ResultObject, int], None]


def result_objects(folder: Path, names: Collection[str] = ()) -> list[ResultObject]:
    """The DICOM objects of a results folder, in order of their files' names.

    Args:
        names: of outputs, those that are wanted; all of them where empty.
    """
    wanted = [output for output in OUTPUTS if not names or output.name in names]
    paths = sorted(folder / name for name in sealed_files(folder) if name.endswith(".dcm"))
    return [_result_object(path) for path in paths if any(each.owns(path.name) for each in wanted)]


def _result_object(path: Path) -> ResultObject:
    meta = dcmread(path, specific_tags=[], stop_before_pixels=True).file_meta
    return ResultObject(
        path=path,
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
    )
