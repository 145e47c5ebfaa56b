"""The report for archives that take no Comprehensive 3D SR."""

import json
import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from tests.dicom.tools import dciodvfy_errors, tool
from tests.factories import CREATED, make_analysis, make_refusal, make_series
from vfnode.dicom.checks.result_set import children, number
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.results.fracture_sr_2d import FALLBACKS, flat_report
from vfnode.dicom.results.outputs import build_and_write
from vfnode.errors import ResultError
from vfnode.spine.vertebra import COLUMNS

CLASSES = FALLBACKS[Comprehensive3DSRStorage]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folders of a positive and a not evaluable result."""
    folder = tmp_path_factory.mktemp("results")
    series = make_series(folder / "ct")
    build_and_write(make_analysis(), series, folder / "positive", created=CREATED)
    build_and_write(make_refusal(), series, folder / "not evaluable", created=CREATED)
    return folder


@pytest.mark.parametrize("sop_class_uid", CLASSES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("kind", ["positive", "not evaluable"])
def test_the_report_is_valid_without_3d_coordinates(kind, sop_class_uid, results, tmp_path):
    """dciodvfy, dsrdump and our own checker find nothing."""
    path = tmp_path / "flat.dcm"

    flat_report(results / kind, sop_class_uid).save_as(path, enforce_file_format=True)

    assert dciodvfy_errors(path) == []
    assert check_files([path, *(results / kind).glob("*.sc.dcm")]) == ()
    run = subprocess.run([tool("dsrdump"), str(path)], capture_output=True, text=True, check=True)
    assert [line for line in run.stderr.splitlines() if "Character Set" not in line] == []
    assert "SCOORD3D" not in run.stdout
    assert pydicom.dcmread(path).SOPClassUID == sop_class_uid


def test_lines_lie_where_they_are_drawn(results):
    """SCOORD on the picture: as long as the height, by the picture's own pixel size."""
    folder = results / "positive"
    picture = pydicom.dcmread(folder / "sagittal.sc.dcm")
    told = json.loads((folder / "result.json").read_text())["vertebrae"]

    report = flat_report(folder, ComprehensiveSRStorage)

    groups = children(report, "126010")[0].ContentSequence
    for vertebra, group in zip(told, groups[1:], strict=True):
        for column, item in zip(COLUMNS, children(group, "121207"), strict=True):
            line = next(x for x in item.ContentSequence if x.ValueType == "SCOORD")
            ends = np.array(line.GraphicData).reshape(2, 2)
            length = np.linalg.norm(ends[0] - ends[1]) * float(picture.PixelSpacing[0])

            assert number(item) == vertebra["heights_mm"][column]
            assert length == pytest.approx(number(item), abs=0.05)
            image = line.ContentSequence[0].ReferencedSOPSequence[0]
            assert image.ReferencedSOPInstanceUID == picture.SOPInstanceUID


def test_each_form_has_a_uid_of_its_own_and_keeps_it(results):
    """Sent twice it is the same object; in another form it is another one."""
    folder = results / "positive"
    uids = [flat_report(folder, each).SOPInstanceUID for each in (*CLASSES, *CLASSES)]

    assert uids[:2] == uids[2:]
    own = pydicom.dcmread(folder / "report.sr.dcm").SOPInstanceUID
    assert len({own, *uids}) == 3


def test_without_its_picture_there_is_no_such_report(results, tmp_path):
    """A site that switched the picture off has nothing to draw on."""
    (tmp_path / "report.sr.dcm").write_bytes((results / "positive/report.sr.dcm").read_bytes())

    with pytest.raises(ResultError, match="no report without 3D coordinates"):
        flat_report(tmp_path, ComprehensiveSRStorage)
