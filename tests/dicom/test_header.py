"""Headers of real CT are dirty; what results carry is valid all the same."""

import logging
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.dicom.tools import edit
from tests.factories import make_ct_folder, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.ct_series import read_ct_series
from vfnode.dicom.header import REQUIRED, clean_value


def header_after(folder: Path, **changes: object) -> Dataset:
    """Header of a series whose slices were changed."""
    for path in make_ct_folder(folder, make_volume((10, 8, 8), (5, 1, 1))):
        edit(path, **changes)
    return read_ct_series([folder])[0].header


def header_with_bytes(folder: Path, character_set: str | None, name: bytes) -> Dataset:
    """Header of a series whose patient name stands in the files as these bytes."""
    padded = name + b" " * (len(name) % 2)
    for path in make_ct_folder(folder, make_volume((10, 8, 8), (5, 1, 1))):
        placeholder = "X" * len(padded)
        edit(path, PatientName=placeholder, SpecificCharacterSet=character_set)
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), padded))
    return read_ct_series([folder])[0].header


def test_a_clean_header_is_copied_as_it_is(tmp_path):
    """Identity is taken over to the letter, with its issuer."""
    header = header_after(tmp_path, IssuerOfPatientID="HOSPITAL", PatientID="00 12-a")

    assert header.PatientName == "Test^Patient"
    assert header.PatientID == "00 12-a"
    assert header.IssuerOfPatientID == "HOSPITAL"
    assert header.AccessionNumber == "A-1"
    assert header.PatientBirthDate == "19500102"


def test_missing_attributes_are_there_and_empty(tmp_path):
    """Type 2 attributes exist in every result, whatever the CT lacks."""
    header = header_after(tmp_path, **dict.fromkeys(REQUIRED))

    assert {keyword: str(header[keyword].value or "") for keyword in REQUIRED} == dict.fromkeys(
        REQUIRED, ""
    )


@pytest.mark.parametrize(
    ("keyword", "dirty", "clean"),
    [
        ("PatientBirthDate", "1950.01.02", "19500102"),
        ("PatientBirthDate", "1950-01-02", "19500102"),
        ("PatientBirthDate", "19501342", ""),
        ("PatientBirthDate", "unknown", ""),
        ("StudyTime", "12:30:05.25", "123005.25"),
        ("StudyTime", "1230", "1230"),
        ("StudyTime", "250000", ""),
        ("StudyTime", "120000.123456789", "120000.123456"),
        ("PatientSex", "female", "F"),
        ("PatientSex", "W", ""),
        ("PatientAge", "69Y", "069Y"),
        ("PatientAge", "sixty", ""),
        ("PatientWeight", "71,5", "71.5"),
        ("PatientWeight", "0", ""),
        ("StudyDescription", "x" * 100, "x" * 64),
        ("StudyDescription", " a\tb\0", "a b"),
        ("StationName", "CT-of-the-second-floor", "CT-of-the-second"),
        ("BodyPartExamined", "Brust/Thorax", "BRUSTTHORAX"),
        ("PatientName", "A^B^C^D^E^F^G", "A^B^C^D^E"),
        ("PatientName", "Doe^^^^", "Doe"),
        ("StudyDescription", "a\\b", "a b"),
        ("SoftwareVersions", "1.0\\ 2.0 ", "1.0\\2.0"),
    ],
)
def test_values_are_repaired_as_little_as_can_be(keyword, dirty, clean):
    """Valid for the VR, close to what was there, empty where nothing can be made of it."""
    assert clean_value(keyword, dirty) == clean


@pytest.mark.parametrize("keyword", ["PatientID", "AccessionNumber", "IssuerOfPatientID"])
def test_identifiers_are_never_shortened(keyword):
    """A cut PatientID would be another patient."""
    assert clean_value(keyword, "7" * 80) == "7" * 80


@pytest.mark.parametrize(
    ("character_set", "name", "read"),
    [
        ("ISO_IR 192", "Иванов^Пётр".encode(), "Иванов^Пётр"),
        ("ISO IR 192", "Иванов^Пётр".encode(), "Иванов^Пётр"),
        ("ISO_IR_192", "Иванов^Пётр".encode(), "Иванов^Пётр"),
        ("ISO_IR 144", "Иванов^Пётр".encode("iso8859_5"), "Иванов^Пётр"),
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        (None, "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        (None, "Иванов^Пётр".encode(), "Иванов^Пётр"),
        ("ISO_IR 192", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"),
        ("NONSENSE", b"Doe^Jane", "Doe^Jane"),
    ],
)
def test_names_of_any_character_set_arrive_in_utf_8(tmp_path, character_set, name, read):
    """Right, misspelled, missing or wrong declarations; nothing is lost silently."""
    declared = character_set.split("\\") if character_set and "\\" in character_set else None

    header = header_with_bytes(tmp_path, declared or character_set, name)

    assert header.SpecificCharacterSet == "ISO_IR 192"
    assert read in str(header.PatientName)


def test_nothing_about_the_patient_is_logged(tmp_path, caplog):
    """Repairs are logged by keyword; warnings that quote values are not let through."""
    caplog.set_level(logging.DEBUG)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header_after(tmp_path, PatientName="Canaryname", PatientSex="Canarysex")

    said = caplog.text + " ".join(str(warning.message) for warning in caught)
    assert "PatientSex" in caplog.text
    assert "anary" not in said.replace("PatientSex", "")


def test_private_attributes_are_left_behind(tmp_path):
    """Only attributes on the list reach a result."""
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.private_block(0x0011, "JUNK", create=True).add_new(1, "LO", "secret")
        dataset.save_as(path)

    header = read_ct_series([tmp_path])[0].header

    assert not [element for element in header if element.tag.is_private]


@pytest.mark.parametrize("name", ["lidc-idri-0314", "lidc-idri-0001"])
def test_headers_of_real_ct_are_taken_over(name):
    """LIDC-IDRI has empty names, times and birth dates."""
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(ABSENT)

    header = read_ct_series([folder])[0].header

    assert header.PatientID.startswith("LIDC-IDRI-")
    assert header.StudyTime == ""
