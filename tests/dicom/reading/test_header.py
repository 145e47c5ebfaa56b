"""Headers of real CT are dirty; what results carry is valid all the same."""

import logging
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.dicom.tools import dciodvfy_errors, edit
from tests.factories import CREATED, make_analysis, make_ct_folder, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.identity_header import REQUIRED, clean_value
from vfnode.dicom.results.outputs import build_and_write


def header_after(folder: Path, **changes: object) -> Dataset:
    """Header of a series whose slices were changed."""
    for path in make_ct_folder(folder, make_volume((10, 8, 8), (5, 1, 1))):
        edit(path, **changes)
    return read_ct_series([folder])[0].header


def header_with_bytes(
    folder: Path, character_set: object, name: bytes, fallback: str = "latin-1"
) -> Dataset:
    """Header of a series whose patient name stands in the files as these bytes."""
    padded = name + b" " * (len(name) % 2)
    for path in make_ct_folder(folder, make_volume((10, 8, 8), (5, 1, 1))):
        placeholder = "X" * len(padded)
        edit(path, PatientName=placeholder, SpecificCharacterSet=character_set)
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), padded))
    return read_ct_series([folder], fallback)[0].header


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


#: Defined terms of PS3.3 C.12.1.1.2 with a name in each; those of PS3.5 Annexes H to K among them
CHARACTER_SETS = {
    "ISO_IR 100": ("Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
    "ISO_IR 101": ("Wałęsa^Łucja".encode("iso8859_2"), "Wałęsa^Łucja"),
    "ISO_IR 109": ("Ħal^Ġorġ".encode("iso8859_3"), "Ħal^Ġorġ"),
    "ISO_IR 110": ("Bērziņš^Jānis".encode("iso8859_4"), "Bērziņš^Jānis"),
    "ISO_IR 144": ("Иванов^Пётр".encode("iso8859_5"), "Иванов^Пётр"),
    "ISO_IR 127": ("قباني^لنزار".encode("iso8859_6"), "قباني^لنزار"),
    "ISO_IR 126": ("Διονυσιος".encode("iso8859_7"), "Διονυσιος"),
    "ISO_IR 138": ("שרון^דבורה".encode("iso8859_8"), "שרון^דבורה"),
    "ISO_IR 148": ("Şahin^Ayşe".encode("iso8859_9"), "Şahin^Ayşe"),
    "ISO_IR 166": ("สมชาย^ใจดี".encode("tis-620"), "สมชาย^ใจดี"),
    "ISO_IR 192": ("Wang^XiaoDong=王^小東".encode(), "王^小東"),
    "GB18030": ("Wang^XiaoDong=王^小东".encode("gb18030"), "王^小东"),
    "GBK": ("Wang^XiaoDong=王^小东".encode("gbk"), "王^小东"),
    "\\ISO 2022 IR 87": (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"),
    "ISO 2022 IR 13\\ISO 2022 IR 87": (
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
    ),
    "\\ISO 2022 IR 149": (
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
        "洪^吉洞",
    ),
    "\\ISO 2022 IR 58": (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "张^小东"),
    "\\ISO 2022 IR 144": (b"Ivanov=\x1b-L" + "Иванов".encode("iso8859_5"), "Иванов"),
}


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_names_of_every_character_set_arrive_in_utf_8(character_set, tmp_path):
    """As declared, with and without code extensions, also where several are declared."""
    name, read = CHARACTER_SETS[character_set]
    declared = character_set.split("\\") if "\\" in character_set else character_set

    header = header_with_bytes(tmp_path, declared, name)

    assert header.SpecificCharacterSet == "ISO_IR 192"
    assert read in str(header.PatientName)


RUSSIAN = "Иванов^Пётр"


@pytest.mark.parametrize(
    ("character_set", "name", "fallback", "read"),
    [
        ("ISO IR 192", RUSSIAN.encode(), "latin-1", RUSSIAN),
        ("ISO_IR_192", RUSSIAN.encode(), "latin-1", RUSSIAN),
        ("iso-ir 144", RUSSIAN.encode("iso8859_5"), "latin-1", RUSSIAN),
        ("ISO IR-100", "Müller".encode("latin-1"), "latin-1", "Müller"),
        ("UTF-8", RUSSIAN.encode(), "latin-1", RUSSIAN),
        ("NONSENSE", b"Doe^Jane", "latin-1", "Doe^Jane"),
        ("NONSENSE", "Müller".encode("latin-1"), "latin-1", "Müller"),
        (None, "Müller".encode("latin-1"), "latin-1", "Müller"),
        (None, RUSSIAN.encode(), "latin-1", RUSSIAN),
        (None, RUSSIAN.encode("cp1251"), "cp1251", RUSSIAN),
        (None, RUSSIAN.encode("iso8859_5"), "iso8859_5", RUSSIAN),
        ("ISO_IR 6", RUSSIAN.encode("cp1251"), "cp1251", RUSSIAN),
        ("ISO_IR 100", RUSSIAN.encode("cp1251"), "cp1251", RUSSIAN),
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "cp1251", "Müller^Jörg"),
        ("ISO_IR 100", RUSSIAN.encode(), "latin-1", RUSSIAN),
        ("ISO_IR 192", "Müller^Jörg".encode("latin-1"), "latin-1", "Müller^Jörg"),
        ("ISO_IR 192", RUSSIAN.encode("cp1251"), "cp1251", RUSSIAN),
        ("ISO_IR 144", RUSSIAN.encode(), "latin-1", RUSSIAN),
        ("ISO_IR 144", "ТА".encode("iso8859_5"), "latin-1", "ТА"),
        ("ISO_IR 101", "Wałęsa".encode("iso8859_2"), "cp1251", "Wałęsa"),
    ],
)
def test_wrong_declarations_are_seen_through(tmp_path, character_set, name, fallback, read):
    """Misspelled, missing or wrong; a setting says what is meant where nothing else does."""
    header = header_with_bytes(tmp_path, character_set, name, fallback)

    assert str(header.PatientName) == read


@pytest.mark.parametrize("text", ["Ёлкин", "Иванов-Петров", "№ 7", "Отд. 3", "КТ ОГК"])
def test_cyrillic_texts_survive_the_way_to_the_result(text, tmp_path):
    """Written to a result, read back from its bytes: the same text."""
    paths = make_ct_folder(tmp_path / "ct")
    for path in paths:
        edit(path, SpecificCharacterSet="ISO_IR 144", StudyDescription=text, PatientName=text)

    series = read_ct_series([tmp_path / "ct"])[0]
    build_and_write(make_analysis(), series, tmp_path / "out", created=CREATED)

    for path in (tmp_path / "out").glob("*.dcm"):
        result = pydicom.dcmread(path)
        assert result.StudyDescription == text
        assert str(result.PatientName) == text


def test_every_form_of_the_identifier_reaches_the_results(tmp_path):
    """Issuer, its qualifiers, and other identifiers: a PACS refuses what differs."""
    issuer, other = Dataset(), Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.3", "ISO"
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "77", "LAB ", "TEXT"
    for path in make_ct_folder(tmp_path / "ct"):
        edit(
            path,
            IssuerOfPatientID="HOSPITAL",
            IssuerOfPatientIDQualifiersSequence=[issuer],
            OtherPatientIDsSequence=[other, Dataset()],
        )

    series = read_ct_series([tmp_path / "ct"])[0]
    build_and_write(make_analysis(), series, tmp_path / "out", created=CREATED)

    for path in (tmp_path / "out").glob("*.dcm"):
        result = pydicom.dcmread(path)
        assert result.IssuerOfPatientID == "HOSPITAL"
        assert result.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3"
        assert [item.PatientID for item in result.OtherPatientIDsSequence] == ["77"]
        assert dciodvfy_errors(path) == []


def test_a_text_that_was_not_in_its_character_set_is_logged_by_keyword(tmp_path, caplog):
    """So that a site can see that its declaration is wrong."""
    caplog.set_level(logging.INFO)

    header_with_bytes(tmp_path, "ISO_IR 100", RUSSIAN.encode("cp1251"), "cp1251")

    assert "PatientName" in caplog.text
    assert "Иванов" not in caplog.text


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
