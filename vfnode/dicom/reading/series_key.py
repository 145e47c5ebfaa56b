"""The key of a series: its patient, its study and itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pydicom.dataset import Dataset

from vfnode.dicom.reading.identity_header import clean_value
from vfnode.dicom.reading.inherited_uid import inherited_uid
from vfnode.dicom.reading.text_decoding import TextReader
from vfnode.dicom.reading.values import value_of

#: What tells one patient from another. A digest of it stands in keys, paths and logs.
IDENTITY = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")
DIGEST_LENGTH = 16  #: hexadecimal digits; no two of a million patients share them


@dataclass(frozen=True, order=True)
class SeriesKey:
    """One series of one study of one patient; in the field no UID alone is unique."""

    patient_digest: str  #: of who the patient is, so that no key names anybody
    study_instance_uid: str
    series_instance_uid: str

    @property
    def study(self) -> tuple[str, str]:
        """Patient and study."""
        return self.patient_digest, self.study_instance_uid


def series_key(dataset: Dataset) -> SeriesKey:
    """The series that an image belongs to; UIDs that a copy lost are derived."""
    return SeriesKey(
        patient_digest(dataset), study_instance_uid(dataset), series_instance_uid(dataset)
    )


def patient_digest(dataset: Dataset) -> str:
    """What stands for the patient of a data set: equal for equal identities, and no name.

    Upper and lower case, padding, empty name components and further forms of the name
    (ideographic, phonetic) make no other patient.
    """
    reader = TextReader.of(dataset)
    cleaned = [
        clean_value(keyword, reader.read(dataset, keyword).text).casefold() for keyword in IDENTITY
    ]
    cleaned[2] = cleaned[2].partition("=")[0]
    digest = hashlib.sha256(json.dumps(cleaned).encode("utf-8")).hexdigest()
    return digest[:DIGEST_LENGTH]


def series_instance_uid(dataset: Dataset) -> str:
    """Own UID; derived from what the slices share where a copy lost it."""
    frame = str(value_of(dataset, "FrameOfReferenceUID") or "")
    return inherited_uid(dataset, "SeriesInstanceUID", "series", frame)


def study_instance_uid(dataset: Dataset) -> str:
    """Own UID; derived from the series where a copy lost it."""
    return inherited_uid(dataset, "StudyInstanceUID", "study", series_instance_uid(dataset))
