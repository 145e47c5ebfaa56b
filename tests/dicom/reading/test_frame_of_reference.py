"""Coordinates need a frame; where the slices name no common one, the result says what was done."""

import json

import pydicom
import pytest

from tests.dicom.tools import dciodvfy_errors, edit
from tests.factories import CREATED, make_analysis, make_ct_folder, make_volume
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.checks.result_set import children
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.results.outputs import build_and_write
from vfnode.spine.reason import Reason


def frames_of_slices(kind: str, index: int) -> str | None:
    """What slice ``index`` of 60 names."""
    if kind == "of their own":
        return f"1.2.3.{index}"
    return {"none": None, "common": "1.2.3"}[kind]


def make_result(kind, folder):
    """Paths of the CT and of the DICOM objects of a result."""
    paths = make_ct_folder(folder / "ct", make_volume())
    for index, path in enumerate(paths):
        edit(path, FrameOfReferenceUID=frames_of_slices(kind, index))
    series = read_ct_series([folder / "ct"])[0]
    build_and_write(make_analysis(), series, folder / "out", created=CREATED)
    return paths, sorted((folder / "out").glob("*.dcm"))


@pytest.mark.parametrize("kind", ["of their own", "none", "common"])
def test_a_frame_that_had_to_be_chosen_is_a_coded_limitation(kind, tmp_path):
    """In the report, in result.json; and the checker is content with the CT beside it."""
    paths, objects = make_result(kind, tmp_path)

    report = pydicom.dcmread(tmp_path / "out" / "report.sr.dcm")
    conclusion = children(report, "126010")[0].ContentSequence[0]
    said = [item.ConceptCodeSequence[0].CodeValue for item in children(conclusion, "VF-QUALITY")]
    told = json.loads((tmp_path / "out" / "result.json").read_text())["quality"]

    assumed = kind != "common"
    assert ("VF-R17" in said) is assumed
    assert (Reason.FRAME_ASSUMED.to_dict() in told) is assumed
    assert check_files([*objects, *paths]) == ()
    assert [error for path in objects for error in dciodvfy_errors(path)] == []


def frames_in(path):
    """Frames of reference of the coordinates of a report."""
    groups = children(pydicom.dcmread(path), "126010")[0].ContentSequence
    return {
        str(child.ReferencedFrameOfReferenceUID)
        for group in groups
        for item in children(group, "121207")
        for child in item.ContentSequence
        if child.ValueType == "SCOORD3D"
    }


def test_the_frame_is_one_that_a_slice_names(tmp_path):
    """The first of equals: viewers take that of the first image for the whole series."""
    make_result("of their own", tmp_path)

    assert frames_in(tmp_path / "out" / "report.sr.dcm") == {"1.2.3.0"}


def test_a_real_ct_with_a_frame_for_every_slice_says_so(tmp_path):
    """LIDC-IDRI-0314 as its anonymiser left it."""
    folder = SHARED / "data" / "lidc-idri-0314"
    if not folder.exists():
        pytest.skip(ABSENT)
    series = read_ct_series([folder])[0]

    assert series.notes == (Reason.FRAME_ASSUMED,)
    assert series.frame_of_reference_uid == str(
        pydicom.dcmread(series.instances[0].path, stop_before_pixels=True).FrameOfReferenceUID
    )
