"""Rules for every result object: attributes, character set, UIDs, codes, one study."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from vfnode.dicom.checks.result_set import CheckedObject, ResultSet
from vfnode.dicom.templates import load_template, own_wording
from vfnode.dicom.vocabulary import CODES_FILE, code_table

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
Findings = Iterator[tuple[str, str]]  #: (name of the object, what is wrong)
SHARED = (
    "StudyInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyDate",
    "StudyTime",
    "StudyID",
)
#: What a UID says; in one set no UID says two of these.
ROLES = {
    "SOPInstanceUID": "object",
    "ReferencedSOPInstanceUID": "object",
    "SeriesInstanceUID": "series",
    "StudyInstanceUID": "study",
    "FrameOfReferenceUID": "frame of reference",
    "ReferencedFrameOfReferenceUID": "frame of reference",
    "UID": "tracked item or device",
}
#: What may name the CT. Scanners give leading zeros, 65 characters, text, one UID for all.
INHERITED = frozenset(ROLES) - {"UID"}


def attributes(results: ResultSet) -> Findings:
    """Each kind of object has the attributes that viewers and archives rely on."""
    table = load_template("checks.json")
    for checked in results.objects:
        kinds = ["every", *(["picture"] * checked.is_picture), *(["report"] * checked.is_report)]
        kinds += ["reformat"] * checked.is_reformat
        for wanted in (table[kind] for kind in kinds):
            yield from ((checked.name, text) for text in _attributes_of(checked.dataset, wanted))


def _attributes_of(dataset: Dataset, wanted: dict[str, Any]) -> Iterator[str]:
    for keyword in wanted["filled"]:
        if not dataset.get(keyword):
            yield f"{keyword} is missing or empty"
    for keyword in wanted["present"]:
        if keyword not in dataset:
            yield f"{keyword} is missing"
    for keyword, value in wanted["fixed"].items():
        if dataset.get(keyword) != value:
            yield f"{keyword} is not {value!r}"


def texts_decode(results: ResultSet) -> Findings:
    """No text holds the sign that stands for bytes which could not be decoded."""
    for name, element in results.elements:
        if element.VR in TEXT_VRS and "\ufffd" in str(element.value):
            yield name, f"{element.keyword} was not decoded"


def valid_uids(results: ResultSet) -> Findings:
    """Every UID that is made here has the form of PS3.5 9.1; the scanner's are repeated."""
    for name, element in results.elements:
        if element.VR == "UI" and not _is_inherited(element, results):
            values = element.value if element.VM > 1 else [element.value]
            if not all(UID(value).is_valid for value in values):
                yield name, f"{element.keyword} is no valid UID"


def _is_inherited(element: DataElement, results: ResultSet) -> bool:
    """True if a UID names the CT, in any notation."""
    if element.keyword not in INHERITED or str(element.value) in results.own_uids:
        return False
    return results.ct is None or str(element.value) in results.ct.uids


def single_roles(results: ResultSet) -> Findings:
    """No UID that is made here names two different things, and no two objects share one."""
    roles: dict[str, set[str]] = defaultdict(set)
    for _, element in results.elements:
        if element.keyword in ROLES:
            roles[str(element.value)].add(ROLES[element.keyword])
    for uid, found in roles.items():
        if len(found) > 1 and uid in results.own_uids:
            yield "the set", f"{uid} names {' and '.join(sorted(found))}"
    yield from _distinct_objects(results)


def _distinct_objects(results: ResultSet) -> Findings:
    own = [str(checked.dataset.get("SOPInstanceUID", "")) for checked in results.objects]
    modalities: dict[str, set[str]] = defaultdict(set)
    for checked, uid in zip(results.objects, own, strict=True):
        if own.count(uid) > 1 or (results.ct and uid in results.ct.sop_instance_uids):
            yield checked.name, "SOPInstanceUID is that of another object"
        modalities[str(checked.dataset.get("SeriesInstanceUID", ""))].add(
            str(checked.dataset.get("Modality", ""))
        )
    for uid, found in modalities.items():
        if len(found) > 1 or (results.ct and uid in results.ct.series_instance_uids):
            yield "the set", f"series {uid} holds several modalities"


def file_headers(results: ResultSet) -> Findings:
    """The File Meta Information agrees with the data set and says how it is encoded."""
    for checked in results.objects:
        meta = checked.dataset.file_meta
        if meta.get("MediaStorageSOPInstanceUID") != checked.dataset.get("SOPInstanceUID"):
            yield checked.name, "MediaStorageSOPInstanceUID differs from SOPInstanceUID"
        if meta.get("MediaStorageSOPClassUID") != checked.dataset.get("SOPClassUID"):
            yield checked.name, "MediaStorageSOPClassUID differs from SOPClassUID"
        if meta.get("TransferSyntaxUID") != ExplicitVRLittleEndian:
            yield checked.name, "TransferSyntaxUID is not Explicit VR Little Endian"


def one_study(results: ResultSet) -> Findings:
    """All objects belong to one patient and one study, which are those of the CT."""
    for checked in results.objects:
        for keyword in SHARED:
            if checked.dataset.get(keyword) != results.objects[0].dataset.get(keyword):
                yield checked.name, f"{keyword} differs from {results.objects[0].name}"
        if results.ct and checked.dataset.get("StudyInstanceUID") != results.ct.study_instance_uid:
            yield checked.name, "StudyInstanceUID is not that of the CT"
        if results.ct and str(checked.dataset.get("PatientID", "")) != results.ct.patient_id:
            yield checked.name, "PatientID is not that of the CT"


def known_codes(results: ResultSet) -> Findings:
    """Every code stands in our table, with the meaning that it has there."""
    for name, part in results.parts:
        if "CodeValue" in part:
            yield from ((name, text) for text in _code_findings(part))


def _code_findings(code: Dataset) -> Iterator[str]:
    key = (str(code.get("CodingSchemeDesignator", "")), str(code.CodeValue))
    meanings = code_table().get(key)
    if meanings is None:
        yield f"code {key[1]} of {key[0]} is not in {CODES_FILE}"
    elif str(code.get("CodeMeaning", "")) not in meanings:
        yield f"code {key[1]} of {key[0]} has another meaning in {CODES_FILE}"


def no_identity_in_texts(results: ResultSet) -> Findings:
    """Texts of ours do not repeat who the patient is."""
    for checked in results.objects:
        for identity in _identity(checked):
            if any(identity.search(text) for text in _own_texts(checked)):
                yield checked.name, "a text repeats the patient's name or identifier"
                break


def _identity(checked: CheckedObject) -> list[re.Pattern[str]]:
    """Family name and identifier, as whole words, where our own wording has no such word.

    Somebody may be called Spine or Normal, and a result must not fail for it.
    """
    name = str(checked.dataset.get("PatientName", "")).split("^")[0]
    found = [name, str(checked.dataset.get("PatientID", ""))]
    return [
        re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-]|\.\w)")
        for text in found
        # "1" stands everywhere
        if len(text) >= 4 and text.casefold() not in own_wording()  # noqa: PLR2004
    ]


def _own_texts(checked: CheckedObject) -> Iterator[str]:
    for keyword in ("SeriesDescription", "DerivationDescription"):
        yield str(checked.dataset.get(keyword, ""))
    for item in checked.content:
        yield str(item.dataset.get("TextValue", ""))
