"""Headers as they come from the field: what is wrong with each slice of a CT."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from vfnode.dicom.reading.identity_header import REQUIRED

EMPTY: dict[str, object] = dict.fromkeys(REQUIRED, "")
WRONG: dict[str, object] = {
    "PatientBirthDate": "19501342",
    "PatientSex": "W",
    "PatientAge": "sixty",
    "PatientWeight": "0",
    "StudyDate": "yesterday",
    "StudyTime": "250000",
}
LONG: dict[str, object] = {
    "PatientName": "A^B^C^D^E^F^G=H^I^J^K^L^M=N=O",
    "StudyID": "number 7 of the second floor",
    "StudyDescription": "Chest " * 20,
    "StationName": " CT-of-the-second-floor ",
    "Manufacturer": " Maker\0",
    "BodyPartExamined": "Brust/Thorax",
}
RUSSIAN = "Иванов^Пётр".encode("cp1251")
JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"


def lose(dataset: Dataset) -> None:
    """Take every type 2 attribute and the frame of reference away."""
    for keyword in (*REQUIRED, "FrameOfReferenceUID", "SeriesNumber", "Manufacturer"):
        if keyword in dataset:
            delattr(dataset, keyword)


def change(values: dict[str, object]):
    """Set attributes to values that may be impossible."""

    def apply(dataset: Dataset) -> None:
        for keyword, value in values.items():
            dataset[keyword] = pydicom.DataElement(
                pydicom.datadict.tag_for_keyword(keyword) or 0,
                pydicom.datadict.dictionary_VR(keyword),
                value,
                validation_mode=pydicom.config.IGNORE,
            )

    return apply


def many_identifiers(dataset: Dataset) -> None:
    """Issuer, qualifiers, other identifiers, and an empty item among them."""
    issuer, other = Dataset(), Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.3", "ISO"
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "77", "LAB ", "TEXT"
    dataset.IssuerOfPatientID = "HOSPITAL"
    dataset.IssuerOfPatientIDQualifiersSequence = [issuer]
    dataset.OtherPatientIDsSequence = [other, Dataset()]


def private_junk(dataset: Dataset) -> None:
    """A private block, and curves of another century."""
    dataset.private_block(0x0011, "JUNK", create=True).add_new(1, "LO", "secret")
    dataset.add_new(0x50000010, "US", 4)


#: name -> what is done to a slice, and the bytes of its patient's name and their character set
TRAPS = {
    "type 2 missing": (lose, None),
    "type 2 empty": (change(EMPTY), None),
    "impossible values": (change(WRONG), None),
    "too long and padded": (change(LONG), None),
    "many identifiers": (many_identifiers, None),
    "private junk": (private_junk, None),
    "Cyrillic declared as Latin": (None, (RUSSIAN, "ISO_IR 100")),
    "Cyrillic without a declaration": (None, (RUSSIAN, None)),
    "code extensions": (None, (JAPANESE, ["", "ISO 2022 IR 87"])),
}


def spoil(paths: list[Path], trap: str) -> None:
    """Give the slices of a CT the headers of a trap."""
    apply, name = TRAPS[trap]
    for path in paths:
        dataset = pydicom.dcmread(path)
        if apply:
            apply(dataset)
        text = name[0] + b" " * (len(name[0]) % 2) if name else b""
        if name:
            dataset.PatientName = "X" * len(text)
            dataset.SpecificCharacterSet = name[1]
        dataset.save_as(path)
        if name:
            path.write_bytes(path.read_bytes().replace(b"X" * len(text), text))
