"""Patient, study and equipment attributes of real CT, repaired so that results can be built.

Every value copied is valid for its VR and encoded in ISO_IR 192. What was changed is logged
by keyword, never by value.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from vfnode.dicom.reading.inherited_uid import inherited_uid
from vfnode.dicom.reading.text_decoding import LATIN_1, TextReader

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
#: Further forms of the patient's identifier, and what is taken over of each item.
SEQUENCES = {
    "IssuerOfPatientIDQualifiersSequence": (
        "UniversalEntityID",
        "UniversalEntityIDType",
        "IdentifierTypeCode",
    ),
    "OtherPatientIDsSequence": ("PatientID", "IssuerOfPatientID", "TypeOfPatientID"),
}
#: Never shortened: a cut PatientID is another patient, a cut AccessionNumber another order.
IDENTIFIERS = frozenset(
    {"PatientID", "IssuerOfPatientID", "AccessionNumber", "OtherPatientIDs", "UniversalEntityID"}
)
MULTI_VALUED = frozenset({"SoftwareVersions", "OtherPatientIDs"})
SEXES = ("M", "F", "O")
UNDECODED = "\ufffd"  #: a byte that is in no character set; a result may not carry this sign
LONGEST = {"LO": 64, "SH": 16, "LT": 10240, "PN": 64, "CS": 16}


def result_header(
    dataset: Dataset, series_instance_uid: str, fallback_encoding: str = LATIN_1
) -> Dataset:
    """Cleaned attributes of a slice that its results must carry.

    Args:
        dataset: any slice of the series.
        series_instance_uid: of the series, also where the slice has lost it.
        fallback_encoding: Python name of the encoding that texts are in where the declared
            character set is missing or wrong (header_text.py).

    Returns:
        Data set in ISO_IR 192 with every required attribute, study and series UIDs.
    """
    reader = TextReader.of(dataset, fallback_encoding)
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    changed = _copy(dataset, header, (*REQUIRED, *OPTIONAL), reader)
    for keyword in set(REQUIRED) - set(header.dir()):
        setattr(header, keyword, "")
    for sequence, keywords in SEQUENCES.items():
        changed += _copy_items(dataset, header, sequence, keywords, reader)
    if changed:
        log.info("attributes of the CT repaired for the results: %s", ", ".join(changed))
    header.StudyInstanceUID = inherited_uid(
        dataset, "StudyInstanceUID", "study", series_instance_uid
    )
    header.SeriesInstanceUID = series_instance_uid
    return header


def _copy(
    dataset: Dataset, target: Dataset, keywords: Iterable[str], reader: TextReader
) -> list[str]:
    """Copy what has a value after cleaning; the keywords of what is not as it was."""
    changed = []
    for keyword in keywords:
        raw = reader.read(dataset, keyword)
        value = clean_value(keyword, raw.text)
        if value:
            setattr(target, keyword, value.split("\\") if "\\" in value else value)
        if value != raw.text.strip(" \0") or not raw.as_declared:
            changed.append(keyword)
    return changed


def _copy_items(
    dataset: Dataset,
    target: Dataset,
    sequence: str,
    keywords: Iterable[str],
    reader: TextReader,
) -> list[str]:
    """The same for the items of a sequence; items of which nothing is left are left out."""
    items, changed = [], []
    for source in dataset.get(sequence) or []:
        item = Dataset()
        changed += [f"{sequence}.{keyword}" for keyword in _copy(source, item, keywords, reader)]
        if len(item):
            items.append(item)
    if items:
        setattr(target, sequence, items)
    return changed


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


def _clean_text(text: str, vr: str) -> str:
    """Without control characters and outer blanks."""
    kept = "".join(
        char if char.isprintable() or (vr == "LT" and char in "\r\n") else " " for char in text
    )
    return kept.replace(UNDECODED, "?").strip()


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
