"""A series that could not be read as a volume: enough of it for a result that says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from vfnode.dicom.reading.ct_series import SeriesSource, SourceInstance
from vfnode.dicom.reading.identity_header import result_header
from vfnode.dicom.reading.selection import read_datasets
from vfnode.dicom.reading.series_key import SeriesKey, series_key
from vfnode.dicom.reading.slice_header import frame_of_reference_uid, sop_class_uid
from vfnode.dicom.reading.text_decoding import LATIN_1
from vfnode.errors import UnreadableInputError


def read_refused_series(paths: Sequence[Path], fallback_encoding: str = LATIN_1) -> SeriesSource:
    """The largest series of some files, from their headers alone: no geometry, no pixels.

    Raises:
        UnreadableInputError: not one file has a header with a SOP Instance UID.
    """
    series: dict[SeriesKey, list[tuple[Path, Dataset]]] = defaultdict(list)
    for path, dataset in _readable(paths):
        if dataset.get("SOPInstanceUID"):
            series[series_key(dataset)].append((path, dataset))
    if not series:
        raise UnreadableInputError("no header among the images can be read")
    key, files = max(series.items(), key=lambda item: len(item[1]))
    first = files[0][1]
    header = result_header(first, key.series_instance_uid, fallback_encoding)
    return SeriesSource(
        instances=tuple(_source(path, dataset) for path, dataset in files),
        header=header,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=key.series_instance_uid,
        frame_of_reference_uid=frame_of_reference_uid(first),
    )


def _readable(paths: Sequence[Path]) -> list[tuple[Path, Dataset]]:
    """Headers of all files that have one; here a damaged file is no reason to say nothing."""
    found = []
    for path in paths:
        try:
            found += [(name, dataset) for name, dataset, _ in read_datasets([path])]
        except UnreadableInputError:
            continue
    return found


def _source(path: Path, dataset: Dataset) -> SourceInstance:
    number = dataset.get("InstanceNumber")
    return SourceInstance(
        sop_class_uid=sop_class_uid(dataset),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        path=path,
        frame=0,
        instance_number=int(number) if number else None,
    )
