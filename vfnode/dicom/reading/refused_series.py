"""A series that could not be read as a volume: enough of it for a result that says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from vfnode.dicom.reading.ct_series import SeriesSource, SourceInstance
from vfnode.dicom.reading.dicom_file import DicomFile, read_dicom_files
from vfnode.dicom.reading.identity_header import result_header
from vfnode.dicom.reading.series_key import SeriesKey, series_key
from vfnode.dicom.reading.slice_header import (
    frame_of_reference_uid,
    instance_number,
    sop_class_uid,
    sop_instance_uid,
)
from vfnode.dicom.reading.text_decoding import LATIN_1
from vfnode.errors import UnreadableInputError


def read_refused_series(paths: Sequence[Path], fallback_encoding: str = LATIN_1) -> SeriesSource:
    """The largest series of some files, from their headers alone: no geometry, no pixels.

    Raises:
        UnreadableInputError: not one file has a header with a SOP Instance UID.
    """
    series: dict[SeriesKey, list[DicomFile]] = defaultdict(list)
    for file in _readable(paths):
        series[series_key(file.dataset)].append(file)
    if not series:
        raise UnreadableInputError("no header among the images can be read")
    key, files = max(series.items(), key=lambda item: len(item[1]))
    first = files[0].dataset
    header = result_header(first, key.series_instance_uid, fallback_encoding)
    return SeriesSource(
        instances=tuple(_source(file) for file in files),
        header=header,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=key.series_instance_uid,
        frame_of_reference_uid=frame_of_reference_uid(first),
    )


def _readable(paths: Sequence[Path]) -> Iterator[DicomFile]:
    """Headers of all files that have one; here a damaged file is no reason to say nothing."""
    for path in paths:
        try:
            for file in read_dicom_files([path]):
                if isinstance(file, DicomFile) and sop_instance_uid(file.dataset):
                    yield file
        except UnreadableInputError:
            continue


def _source(file: DicomFile) -> SourceInstance:
    return SourceInstance(
        sop_class_uid=sop_class_uid(file.dataset),
        sop_instance_uid=sop_instance_uid(file.dataset),
        path=file.path,
        frame=0,
        instance_number=instance_number(file.dataset),
    )
