"""What the Structured Report says, in codes and in numbers."""

import json
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest

from tests.dicom.answers import ANALYSES, coded, groups, items
from tests.factories import CREATED, CUT, NORMAL, make_analysis, make_series
from vfnode.dicom.results.outputs import build_and_write
from vfnode.spine.vertebra import COLUMNS


def test_heights_in_the_report_equal_those_in_the_json(result, document):
    """One number, whichever file it is read from."""
    told = json.loads((result / "result.json").read_text())["vertebrae"]
    for vertebra, group in zip(told, groups(document)[1:], strict=True):
        heights = [
            float(item.MeasuredValueSequence[0].NumericValue) for item in items(group, "121207")
        ]

        assert heights == [vertebra["heights_mm"][column] for column in COLUMNS]


def test_each_height_lies_between_its_two_points_in_the_patient(result, document, series):
    """SCOORD3D in the CT's frame of reference; its length is the height."""
    told = json.loads((result / "result.json").read_text())["vertebrae"]
    for vertebra, group in zip(told, groups(document)[1:], strict=True):
        for column, item in zip(COLUMNS, items(group, "121207"), strict=True):
            line = next(x for x in item.ContentSequence if x.ValueType == "SCOORD3D")
            ends = np.array(line.GraphicData).reshape(2, 3)

            assert line.ReferencedFrameOfReferenceUID == series.frame_of_reference_uid
            points = vertebra["keypoints_patient_mm"][column]
            np.testing.assert_allclose(ends, [points["superior"], points["inferior"]], atol=1e-3)
            length = np.linalg.norm(ends[0] - ends[1])
            assert length == pytest.approx(vertebra["heights_mm"][column], abs=2e-3)


def test_the_report_names_level_grade_and_deformity_in_codes(document):
    """Standard codes where there are any, private ones beside them."""
    severe = groups(document)[4]

    assert coded(severe, "363698007") == ["7610001"]  # finding site: T10
    assert coded(severe, "VF-GENANT") == ["GENANT-3"]
    assert coded(severe, "246112005") == ["24484000"]  # severity: severe
    assert coded(severe, "VF-DEFORMITY") == ["VF-BICONCAVE"]
    assert coded(severe, "42942008") == ["52101004"]  # compression fracture: present


def test_a_cut_body_is_measured_and_not_graded(document):
    """With a coded reason."""
    cut = groups(document)[5]

    assert len(items(cut, "121207")) == 3
    assert coded(cut, "VF-GENANT") == []
    assert coded(cut, "VF-NOT-GRADED") == ["VF-R08"]
    assert coded(cut, "42942008") == ["373068000"]  # undetermined


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("positive", "52101004"),
        ("negative", "272519000"),
        ("only cut", "373068000"),
        ("not evaluable", "373068000"),
    ],
)
def test_the_study_has_a_coded_conclusion(kind, code, answers):
    """Present, absent or undetermined; a negative is not an empty report."""
    conclusion = groups(pydicom.dcmread(answers / kind / "report.sr.dcm"))[0]

    assert coded(conclusion, "42942008") == [code]


def test_a_study_that_was_not_evaluated_says_why(answers):
    """In a code, in the report."""
    conclusion = groups(pydicom.dcmread(answers / "not evaluable" / "report.sr.dcm"))[0]

    assert coded(conclusion, "VF-NOT-GRADED") == ["VF-R01"]


def test_a_negative_is_told_with_what_was_assessed(answers):
    """Never "no fracture": no moderate or severe one, in these bodies."""
    conclusion = groups(pydicom.dcmread(answers / "negative" / "report.sr.dcm"))[0]
    comment = items(conclusion, "121106")[0].TextValue

    assert comment.startswith("No moderate or severe fracture")
    assert "no fracture" not in comment.lower()


def test_the_algorithm_is_named_with_weights_and_limits(document):
    """Name, version, and everything that would change the result."""
    conclusion = groups(document)[0]
    parameters = " ".join(item.TextValue for item in items(conclusion, "111002"))

    assert items(conclusion, "111003")[0].TextValue.startswith("vfnode ")
    assert "a1" * 32 in parameters
    assert "b2" * 32 in parameters
    assert "moderate <= 0.74" in parameters
    assert "graded levels T4 to L4" in parameters


def test_the_report_is_complete_preliminary_and_unverified(document):
    """A machine made it; nobody has looked."""
    assert document.CompletionFlag == "COMPLETE"
    assert document.PreliminaryFlag == "PRELIMINARY"
    assert document.VerificationFlag == "UNVERIFIED"
    assert document.ContentQualification == "RESEARCH"
    assert document.SpecificCharacterSet == "ISO_IR 192"


def test_every_slice_is_evidence_and_source(document, picture, series):
    """All instances that were read, in both objects."""
    read = {instance.sop_instance_uid for instance in series.instances}
    evidence = document.CurrentRequestedProcedureEvidenceSequence[0]

    assert evidence.StudyInstanceUID == series.study_instance_uid
    listed = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert {item.ReferencedSOPInstanceUID for item in listed} == read
    assert {item.ReferencedSOPInstanceUID for item in picture.SourceImageSequence} == read


def test_each_vertebra_points_to_the_slice_that_holds_its_centre(result, document, series):
    """In the report and in result.json."""
    told = json.loads((result / "result.json").read_text())["vertebrae"]
    for finding, vertebra, group in zip(
        ANALYSES["positive"].report.vertebrae, told, groups(document)[1:], strict=True
    ):
        k = round(float(series.volume.to_voxel(finding.centre_patient_mm)[0]))
        expected = series.instances[k].sop_instance_uid
        image = items(group, "121112")[0].ReferencedSOPSequence[0]

        assert vertebra["slice_instance_uid"] == expected
        assert image.ReferencedSOPInstanceUID == expected


def test_highdicom_reads_the_report_back(result):
    """As a foreign application would: groups found by their tracking UID."""
    report = highdicom.sr.srread(result / "report.sr.dcm")

    found = report.content.get_image_measurement_groups()

    assert [group.tracking_identifier for group in found[1:]] == ["T7", "T8", "T9", "T10", "T11"]


def test_a_height_beyond_the_images_is_neither_sent_nor_drawn(tmp_path):
    """Of a body that the border cuts: two heights in the SR, in the table and on the picture."""
    seen = np.ones((3, 2), bool)
    seen[0] = False
    whole = make_analysis((NORMAL, CUT))
    cut = replace(whole.report.vertebrae[1], seen=seen)
    analysis = replace(
        whole, report=replace(whole.report, vertebrae=(whole.report.vertebrae[0], cut))
    )

    build_and_write(analysis, make_series(tmp_path / "ct"), tmp_path / "out", created=CREATED)

    report = pydicom.dcmread(tmp_path / "out" / "report.sr.dcm")
    assert [len(list(items(group, "121207"))) for group in groups(report)[1:]] == [3, 2]
