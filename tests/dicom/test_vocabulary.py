"""Codes are data; they must be codes that others know."""

import pytest
from pydicom.sr._concepts_dict import concepts as dictionary

from vfnode.dicom.templates import load_template
from vfnode.dicom.vocabulary import PRIVATE_SCHEME, concept, level_concept, reason_concept
from vfnode.errors import ResultError
from vfnode.spine.genant import Deformity, GenantGrade
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import VertebralLevel

#: In use by others (standards), but in none of the context groups that pydicom carries.
NOT_IN_DICTIONARY = {"42942008"}


@pytest.mark.parametrize("name", load_template("codes.json")["concepts"])
def test_a_concept_fits_its_attributes(name):
    """Code Value is SH, Code Meaning is LO, and each code names its source."""
    code = concept(name)

    assert 0 < len(code.value) <= 16
    assert 0 < len(code.meaning) <= 64
    assert load_template("codes.json")["concepts"][name]["source"]


def test_standard_codes_exist():
    """Every SNOMED CT and DICOM code stands in pydicom's dictionaries."""
    entries = load_template("codes.json")["concepts"].values()
    known = {
        scheme: {value for codes in dictionary[scheme].values() for value in codes}
        for scheme in ("SCT", "DCM")
    }

    missing = {
        entry["value"]
        for entry in entries
        if entry["scheme"] in known and entry["value"] not in known[entry["scheme"]]
    }

    assert missing == NOT_IN_DICTIONARY


@pytest.mark.parametrize("level", list(VertebralLevel))
def test_every_level_has_a_code(level):
    """T13 and L6 have none in CID 7603 and fall back to the general one."""
    code = level_concept(level)

    if level.value in ("unknown", "T13", "L6"):
        assert code.value == "51282000"
    else:
        assert code.meaning == f"{level.value} vertebra"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_private_code_with_its_whole_meaning(reason):
    """A reason that is added to the domain needs a line in the code table."""
    code = reason_concept(reason)

    assert code.scheme_designator == PRIVATE_SCHEME
    assert code.meaning == reason.meaning


def test_every_grade_and_deformity_has_a_code():
    """By the names that the report uses."""
    for grade in GenantGrade:
        assert concept(f"genant_{grade.value}").scheme_designator == PRIVATE_SCHEME
        assert concept(f"severity_{grade.value}").scheme_designator == "SCT"
    for deformity in Deformity:
        assert concept(f"deformity_{deformity.value}")


def test_codes_are_not_shared_between_meanings():
    """One value, one meaning, within a scheme."""
    entries = load_template("codes.json")["concepts"].values()
    meanings: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        meanings.setdefault((entry["scheme"], entry["value"]), set()).add(entry["meaning"])

    assert all(len(found) == 1 for found in meanings.values())


def test_an_unknown_concept_is_an_error():
    """A slip of the pen in a name does not reach a result."""
    with pytest.raises(ResultError, match="no concept 'heigth'"):
        concept("heigth")
