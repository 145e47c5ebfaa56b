"""Input of the checker: result objects of one study, and facts of their CT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    CTImageStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

from vfnode.dicom.reading.ct_series import SeriesSource
from vfnode.dicom.reading.image_faults import told
from vfnode.dicom.reading.selection import CT_SOP_CLASSES
from vfnode.errors import UnreadableInputError

REPORTS = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)


@dataclass(frozen=True)
class CTFacts:
    """Facts of the CT that results must agree with."""

    study_instance_uid: str
    patient_id: str
    series_instance_uids: frozenset[str]
    sop_instance_uids: frozenset[str]
    frame_of_reference_uids: frozenset[str]

    @cached_property
    def uids(self) -> frozenset[str]:
        """Every UID that results may repeat."""
        return frozenset(
            {self.study_instance_uid}
            | self.series_instance_uids
            | self.sop_instance_uids
            | self.frame_of_reference_uids
        )

    @classmethod
    def from_series(cls, series: SeriesSource) -> CTFacts:
        """Facts of the series that results are being made of."""
        return cls(
            series.study_instance_uid,
            str(series.header.PatientID),
            frozenset({series.series_instance_uid}),
            frozenset(item.sop_instance_uid for item in series.instances),
            frozenset({series.frame_of_reference_uid}),
        )

    @classmethod
    def from_headers(cls, headers: Sequence[Dataset]) -> CTFacts:
        """Facts of CT files that are checked together with results."""

        def all_of(keyword: str) -> frozenset[str]:
            return frozenset(str(header.get(keyword, "")) for header in headers)

        return cls(
            str(headers[0].get("StudyInstanceUID", "")),
            str(headers[0].get("PatientID", "")).strip(),
            all_of("SeriesInstanceUID"),
            all_of("SOPInstanceUID"),
            all_of("FrameOfReferenceUID") - {""},
        )


@dataclass(frozen=True)
class Item:
    """A content item of an SR and the one that it belongs to."""

    dataset: Dataset
    parent: Dataset

    @property
    def concept(self) -> str:
        """Code value of its name; empty without one."""
        return code_of(self.dataset, "ConceptNameCodeSequence")


class CheckedObject:
    """One result object."""

    def __init__(self, name: str, dataset: Dataset) -> None:
        self.name = name
        self.dataset = dataset

    @property
    def kind(self) -> str:
        """SOP class UID."""
        return str(self.dataset.get("SOPClassUID", ""))

    @property
    def is_report(self) -> bool:
        """True if the object is an SR with measurements."""
        return self.kind in REPORTS

    @property
    def is_picture(self) -> bool:
        """True if the object is a Secondary Capture."""
        return self.kind == str(SecondaryCaptureImageStorage)

    @property
    def is_key_object_selection(self) -> bool:
        """True if the object only points to others."""
        return self.kind == str(KeyObjectSelectionDocumentStorage)

    @property
    def is_reformat(self) -> bool:
        """True if the object is a plane resampled from the CT."""
        return self.kind == str(CTImageStorage) and _is_derived(self.dataset)

    @cached_property
    def content(self) -> tuple[Item, ...]:
        """Every content item below the root, in order."""
        return tuple(_content(self.dataset))

    @cached_property
    def groups(self) -> tuple[Dataset, ...]:
        """Measurement groups: the study's own, then one a vertebra."""
        return tuple(item.dataset for item in self.content if item.concept == "125007")


@dataclass(frozen=True)
class ResultSet:
    """Objects that are checked together."""

    objects: tuple[CheckedObject, ...]
    ct: CTFacts | None

    @cached_property
    def parts(self) -> tuple[tuple[str, Dataset], ...]:
        """Each object and every item of its sequences, with the object's name.

        An item that several objects share in memory is looked at once.
        """
        seen: set[int] = set()
        return tuple(
            (checked.name, part)
            for checked in self.objects
            for part in _nested(checked.dataset, seen)
        )

    @cached_property
    def elements(self) -> tuple[tuple[str, DataElement], ...]:
        """Every element that is no sequence, with the object's name."""
        return tuple(
            (name, element) for name, part in self.parts for element in part if element.VR != "SQ"
        )

    @cached_property
    def own_uids(self) -> frozenset[str]:
        """UIDs made here: of the objects, of their series, and of everything they track."""
        roots = [
            str(checked.dataset.get(keyword, ""))
            for checked in self.objects
            for keyword in ("SOPInstanceUID", "SeriesInstanceUID")
        ]
        tracked = [str(element.value) for _, element in self.elements if element.keyword == "UID"]
        return frozenset([*roots, *tracked])

    @property
    def reports(self) -> Iterator[CheckedObject]:
        """The SRs with measurements."""
        return (checked for checked in self.objects if checked.is_report)

    @property
    def pictures(self) -> Iterator[CheckedObject]:
        """The Secondary Captures."""
        return (checked for checked in self.objects if checked.is_picture)

    @property
    def reformats(self) -> list[CheckedObject]:
        """The planes resampled from the CT."""
        return [checked for checked in self.objects if checked.is_reformat]


def read_set(paths: Iterable[Path]) -> ResultSet:
    """Results and, where they are given too, the CT slices that they speak of.

    Raises:
        UnreadableInputError: a file is no DICOM file; names it.
    """
    objects, headers = [], []
    for path in paths:
        try:
            dataset = pydicom.dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise UnreadableInputError(f"cannot read {path} as DICOM: {told(error)}") from error
        if dataset.get("SOPClassUID") in CT_SOP_CLASSES and not _is_derived(dataset):
            headers.append(dataset)
        else:
            objects.append(CheckedObject(path.name, dataset))
    return ResultSet(tuple(objects), CTFacts.from_headers(headers) if headers else None)


def _is_derived(dataset: Dataset) -> bool:
    return "DERIVED" in (dataset.get("ImageType") or [])


def code_of(dataset: Dataset, keyword: str) -> str:
    """Code Value of the first item of a code sequence; empty without one."""
    items = dataset.get(keyword)
    return str(items[0].get("CodeValue", "")) if items else ""


def children(item: Dataset, concept: str) -> list[Dataset]:
    """Content items directly below one, by the code of their name."""
    return [
        child
        for child in item.get("ContentSequence") or []
        if code_of(child, "ConceptNameCodeSequence") == concept
    ]


def number(item: Dataset) -> float:
    """Value of a NUM item; not a number where it has none."""
    values = item.get("MeasuredValueSequence")
    return float(values[0].get("NumericValue", "nan")) if values else float("nan")


def _nested(dataset: Dataset, seen: set[int]) -> Iterator[Dataset]:
    if id(dataset) in seen:
        return
    seen.add(id(dataset))
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _nested(item, seen)


def _content(parent: Dataset) -> Iterator[Item]:
    for child in parent.get("ContentSequence") or []:
        yield Item(child, parent)
        yield from _content(child)
