"""Patient, study and equipment attributes of real CT, repaired so that results can be built.

Every value copied is valid for its VR and encoded in ISO_IR 192. What was changed is logged
by keyword, never by value.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from vfnode.dicom.uids import derive_uid

log = logging.getLogger(__name__)

#: Type 2 in the Patient and General Study modules: present even if empty.
REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
OPTIONAL = (
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "OtherPatientIDs",
    "PatientBirthTime",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyDescription",
    "Manufacturer",
    "ManufacturerModelName",
    "InstitutionName",
    "StationName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "PositionReferenceIndicator",
    "BodyPartExamined",
)
#: Never shortened: a cut PatientID is another patient, a cut AccessionNumber another order.
IDENTIFIERS = frozenset({"PatientID", "IssuerOfPatientID", "AccessionNumber", "OtherPatientIDs"})
MULTI_VALUED = frozenset({"SoftwareVersions", "OtherPatientIDs"})
SEXES = ("M", "F", "O")
LONGEST = {"LO": 64, "SH": 16, "LT": 10240, "PN": 64, "CS": 16}
#: Any bytes are text in it.
LATIN_1 = "latin-1"
#: Starts a code extension (PS3.5 6.1.2.5).
ESCAPE = b"\x1b"
#: pydicom's name for ISO-IR 6, which is what is meant where nothing is declared.
DEFAULT_REPERTOIRE = "iso8859"
#: Delimiters that end a code extension (PS3.5 6.1.2.5.3), for text and for names.
TEXT_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C}
NAME_DELIMITERS = {0x5E, 0x3D, 0x5C}


def result_header(
    dataset: Dataset, series_instance_uid: str, fallback_encoding: str = LATIN_1
) -> Dataset:
    """Cleaned attributes of a slice that its results must carry.

    Args:
        dataset: any slice of the series.
        series_instance_uid: of the series, also where the slice has lost it.
        fallback_encoding: Python name of the encoding of texts that are neither in the
            declared character set nor in UTF-8.

    Returns:
        Data set in ISO_IR 192 with every required attribute, study and series UIDs.
    """
    encodings = _declared_encodings(dataset)
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    changed = []
    for keyword in (*REQUIRED, *OPTIONAL):
        raw = _raw_text(dataset, keyword, encodings, fallback_encoding)
        value = clean_value(keyword, raw)
        if value or keyword in REQUIRED:
            setattr(header, keyword, value.split("\\") if "\\" in value else value)
        if value != raw.strip(" \0"):
            changed.append(keyword)
    if changed:
        log.info("attributes of the CT repaired for the results: %s", ", ".join(changed))
    own = str(dataset.get("StudyInstanceUID") or "")
    header.StudyInstanceUID = own or derive_uid("study", series_instance_uid)
    header.SeriesInstanceUID = series_instance_uid
    return header


def clean_value(keyword: str, text: str) -> str:
    """A value valid for the attribute's VR, as close to ``text`` as can be; else empty.

    Values of a multi-valued attribute stay apart by backslashes.
    """
    values = text.split("\\") if keyword in MULTI_VALUED else [text.replace("\\", " ")]
    if keyword == "PatientSex":
        sex = text.strip().upper()[:1]
        return sex if sex in SEXES else ""
    vr = dictionary_VR(keyword)
    clean = _CLEANERS.get(vr, _clean_text)
    cleaned = [clean(value, vr) for value in values]
    if keyword not in IDENTIFIERS:
        cleaned = [_shorten(value, vr) for value in cleaned]
    return "\\".join(value for value in cleaned if value)


def _declared_encodings(dataset: Dataset) -> list[str] | None:
    """Python encodings of SpecificCharacterSet; None where it is missing or nonsense."""
    declared = dataset.get("SpecificCharacterSet")
    if not declared:
        return None
    names = [declared] if isinstance(declared, str) else list(declared)
    # "ISO_IR_192", "ISO IR 192" and the like are common slips of the pen.
    tidy = [
        re.sub(r"^ISO[ _]IR[ _]*(\d+)$", r"ISO_IR \1", str(name).strip().upper()) for name in names
    ]
    try:
        encodings: list[str] = convert_encodings(tidy)
    except LookupError:
        return None
    return encodings


def _raw_text(
    dataset: Dataset, keyword: str, encodings: list[str] | None, fallback_encoding: str
) -> str:
    """The attribute as text, decoded here: pydicom would replace what it cannot decode."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return ""
    element = dataset.get_item(tag)
    value = element.value if element is not None else None
    if not isinstance(element, RawDataElement) or not isinstance(value, bytes):
        return "" if value is None else str(value)
    return _decode(value, encodings, fallback_encoding, is_name=dictionary_VR(keyword) == "PN")


def _decode(
    value: bytes, encodings: list[str] | None, fallback_encoding: str, *, is_name: bool
) -> str:
    if ESCAPE in value and encodings is not None:
        text: str = decode_bytes(value, encodings, NAME_DELIMITERS if is_name else TEXT_DELIMITERS)
        if "\ufffd" not in text:
            return text
    declared = encodings[0] if encodings and encodings[0] != DEFAULT_REPERTOIRE else "ascii"
    for encoding in (declared, "utf-8"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue  # a wrong declaration: try the next
    return value.decode(fallback_encoding, "replace")


def _clean_text(text: str, vr: str) -> str:
    """Without control characters and outer blanks."""
    kept = "".join(
        char if char.isprintable() or (vr == "LT" and char in "\r\n") else " " for char in text
    )
    return kept.strip()


def _clean_name(text: str, _vr: str) -> str:
    """At most three groups of at most five components (PS3.5 6.2.1)."""
    groups = _clean_text(text, "PN").split("=")[:3]
    tidy = ["^".join(part.strip() for part in group.split("^")[:5]) for group in groups]
    return "=".join(group.rstrip("^") for group in tidy).rstrip("=")


def _clean_code_string(text: str, _vr: str) -> str:
    upper = re.sub(r"[^A-Z0-9_ ]", "", text.strip().upper())
    return upper.strip()


def _clean_date(text: str, _vr: str) -> str:
    """YYYYMMDD; the ACR-NEMA form with dots and the ISO form with hyphens are taken over."""
    digits = re.sub(r"^(\d{4})[.\-/](\d{2})[.\-/](\d{2}).*$", r"\1\2\3", text.strip())
    try:
        date = datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        return ""
    # strptime also takes "2000111", which may be two different days.
    return digits if date.strftime("%Y%m%d") == digits else ""


def _clean_time(text: str, _vr: str) -> str:
    """HHMMSS with what precision there is; colons are taken out."""
    match = re.fullmatch(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,6})?\d*", text.strip())
    if not match:
        return ""
    hour, minute, second, fraction = match.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:  # noqa: PLR2004
        return ""
    if second is None:
        return hour + (minute or "")
    return f"{hour}{minute}{second}{fraction or ''}"


def _clean_age(text: str, _vr: str) -> str:
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.strip().upper())
    return f"{int(match[1]):03d}{match[2]}" if match else ""


def _clean_number(text: str, _vr: str) -> str:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return ""
    return f"{number:.8g}" if 0 < number < 1e4 else ""  # noqa: PLR2004 - m and kg of a person


def _shorten(text: str, vr: str) -> str:
    longest = LONGEST.get(vr)
    if longest is None:
        return text
    if vr == "PN":
        return "=".join(group[:longest] for group in text.split("="))
    # PS3.5 counts characters; dciodvfy and databases count bytes, and this is only a text.
    return text.encode("utf-8")[:longest].decode("utf-8", "ignore").strip()


_CLEANERS: dict[str, Callable[[str, str], str]] = {
    "PN": _clean_name,
    "CS": _clean_code_string,
    "DA": _clean_date,
    "TM": _clean_time,
    "AS": _clean_age,
    "DS": _clean_number,
}
