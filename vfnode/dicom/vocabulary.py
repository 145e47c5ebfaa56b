"""Coded concepts by name: the codes are data in dicom_templates/codes.json."""

from __future__ import annotations

from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from vfnode.dicom.templates import load_template
from vfnode.errors import ResultError
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import VertebralLevel

CODES_FILE = "codes.json"
#: Coding Scheme Designator of our private codes (PS3.3 Section 8.2: "99" and a name).
PRIVATE_SCHEME = "99VFNODE"
#: Code Meaning is LO (PS3.5 6.2).
LONGEST_MEANING = 64


@cache
def concept(name: str) -> Code:
    """A concept by its name in the code table, e.g. ``concept("height")``.

    Raises:
        ResultError: the table has no such name.
    """
    concepts = load_template(CODES_FILE)["concepts"]
    if name not in concepts:
        raise ResultError(f"{CODES_FILE} has no concept {name!r}")
    entry = concepts[name]
    return Code(entry["value"], entry["scheme"], entry["meaning"])


@cache
def level_concept(level: VertebralLevel) -> Code:
    """Code of a vertebral level (PS3.16 CID 7603).

    "Vertebra" where the level is unknown, and for T13 and L6, which have no code.
    """
    levels = load_template(CODES_FILE)["levels"]
    entry = levels.get(level.value, levels["unknown"])
    return Code(entry["value"], "SCT", entry["meaning"])


@cache
def reason_concept(reason: Reason) -> Code:
    """Private code of a reason: its own names are longer than a Code Value may be (SH)."""
    reasons = load_template(CODES_FILE)["reasons"]
    if reason.code not in reasons:
        raise ResultError(f"{CODES_FILE} has no code for reason {reason.code!r}")
    return Code(reasons[reason.code], PRIVATE_SCHEME, reason.meaning[:LONGEST_MEANING])


def code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


@cache
def code_table() -> dict[tuple[str, str], frozenset[str]]:
    """Every code that results may hold: (scheme, value) -> its meanings."""
    table = load_template(CODES_FILE)
    codes = [concept(name) for name in table["concepts"]]
    codes += [Code(code["value"], code["scheme"], code["meaning"]) for code in table["structure"]]
    codes += [Code(level["value"], "SCT", level["meaning"]) for level in table["levels"].values()]
    codes += [reason_concept(reason) for reason in Reason]
    meanings: dict[tuple[str, str], set[str]] = {}
    for code in codes:
        meanings.setdefault((code.scheme_designator, code.value), set()).add(code.meaning)
    return {key: frozenset(found) for key, found in meanings.items()}


@cache
def unit_of() -> dict[str, Code]:
    """Code Value of each measurement -> the unit that it is given in."""
    units = load_template(CODES_FILE)["units"]
    return {concept(name).value: concept(unit) for name, unit in units.items()}
