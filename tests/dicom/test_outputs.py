"""The objects of a result, looked at by validators that are not ours."""

import dataclasses
import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import highdicom
import jsonschema
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
)

from tests.dicom.test_enhanced_ct import frames_of, write_enhanced_ct
from tests.dicom.tools import dciodvfy_errors, edit, tool
from tests.factories import (
    CREATED,
    CUT,
    MODERATE,
    NORMAL,
    Body,
    make_analysis,
    make_ct_folder,
    make_refusal,
    make_series,
    make_volume,
)
from tests.reference_cases import ABSENT, SHARED
from vfnode.dicom.ct_series import read_ct_series
from vfnode.dicom.flat_report import flat_report
from vfnode.dicom.outputs import OUTPUTS, build_and_write, write_together
from vfnode.dicom.result_settings import ResultSettings, When
from vfnode.dicom.templates import load_template
from vfnode.spine.report import FractureReport, Reason
from vfnode.spine.vertebra import COLUMNS

OBJECTS = [output.file_name for output in OUTPUTS if output.when is When.ALWAYS]
FILES = {"result.json", "sagittal.png", *OBJECTS}
ANALYSES = {
    "positive": make_analysis(quality=(Reason.LEVEL_UNKNOWN, Reason.THICK_SLICES)),
    "negative": make_analysis([NORMAL, NORMAL]),
    "numbered": make_analysis([Body(), Body()]),
    "only cut": make_analysis([CUT]),
    "not evaluable": make_refusal(),
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A small CT with a clean header."""
    return make_series(tmp_path_factory.mktemp("ct"))


@pytest.fixture(scope="module")
def answers(series, tmp_path_factory):
    """Folder of the objects of each kind of answer."""
    folder = tmp_path_factory.mktemp("answers")
    for kind, analysis in ANALYSES.items():
        build_and_write(analysis, series, folder / kind, created=CREATED)
    return folder


@pytest.fixture(scope="module")
def result(answers):
    """The objects of a positive report."""
    return answers / "positive"


@pytest.fixture(scope="module")
def document(result):
    """Its SR, read back."""
    return pydicom.dcmread(result / "report.sr.dcm")


@pytest.fixture(scope="module")
def picture(result):
    """Its SC, read back."""
    return pydicom.dcmread(result / "sagittal.sc.dcm")


def groups(document: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The measurement groups of an SR: the study's own, then one a vertebra."""
    container = next(
        item
        for item in document.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "126010"
    )
    return list(container.ContentSequence)


def items(group: pydicom.Dataset, code: str) -> list[pydicom.Dataset]:
    """Content items of a group with a concept name."""
    return [
        item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code
    ]


def coded(group: pydicom.Dataset, code: str) -> list[str]:
    """Values of a group's coded items."""
    return [item.ConceptCodeSequence[0].CodeValue for item in items(group, code)]


@pytest.mark.parametrize("kind", ANALYSES)
def test_every_object_of_every_answer_is_valid_dicom(kind, answers):
    """dciodvfy finds no error, whatever the answer."""
    found = sorted((answers / kind).glob("*.dcm"))

    assert len(found) >= 2
    assert [error for path in found for error in dciodvfy_errors(path)] == []


@pytest.mark.parametrize("kind", ANALYSES)
def test_dsrdump_reads_every_report(kind, answers):
    """DCMTK checks value types and relationships, which dciodvfy does not."""
    run = subprocess.run(
        [tool("dsrdump"), str(answers / kind / "report.sr.dcm")],
        capture_output=True,
        text=True,
        check=True,
    )

    complaints = [line for line in run.stderr.splitlines() if "Specific Character Set" not in line]
    assert complaints == []
    assert "Imaging Measurement Report" in run.stdout


def pixelmed_says(paths: list[Path]) -> list[str]:
    """Output of PixelMed's validator, the only one that knows TID 1500."""
    jars = Path("/usr/share/java")
    if not (jars / "pixelmed.jar").exists():
        pytest.skip("libpixelmed-java is not installed")
    names = ("pixelmed", "slf4j-api", "slf4j-nop", "commons-codec", "javax.json")
    run = subprocess.run(
        [
            *(tool("java"), "-Xss512m", "-Xmx4g"),
            *(f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("ExprOp", "TotalOp", "ExprGrp")),
            *("-cp", ":".join(str(jars / f"{name}.jar") for name in names)),
            str(Path(__file__).with_name("ValidateReports.java")),
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return run.stdout.splitlines()


def test_reports_follow_their_template(tmp_path):
    """PixelMed finds no error: positive, partial, superseding, not evaluable, flat, real CT."""
    series = make_series(tmp_path / "ct", patient_name="Иванов^Пётр")
    first, later = tmp_path / "first", tmp_path / "later"
    russian = ResultSettings(language="ru")
    build_and_write(make_analysis([MODERATE]), series, first, russian, CREATED)
    before = first / "report.sr.dcm"
    build_and_write(make_analysis([CUT]), series, later, created=CREATED, replaces=before)
    build_and_write(make_refusal(), series, tmp_path / "refused", created=CREATED)
    flat_report(first, ComprehensiveSRStorage).save_as(first / "flat.sr.dcm")
    real = SHARED / "data" / "lidc-idri-0314"
    if real.exists():
        build_and_write(make_analysis([NORMAL]), read_ct_series([real])[0], tmp_path / "real")
    reports = sorted(tmp_path.glob("*/*.sr.dcm"))

    said = pixelmed_says(reports)

    assert len(reports) == 4 + real.exists()
    assert len([line for line in said if "Found Root Template" in line]) == len(reports)
    assert [line for line in said if line.startswith("Error")] == []


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


def test_a_negative_is_told_with_its_limit(answers):
    """Never "no fracture"."""
    conclusion = groups(pydicom.dcmread(answers / "negative" / "report.sr.dcm"))[0]
    comment = items(conclusion, "121106")[0].TextValue

    assert comment.startswith("No G ≤ 0.74 among 2 graded vertebrae")
    assert "no fracture" not in comment.lower()


def test_the_algorithm_is_named_with_weights_and_limits(document):
    """Name, version, and everything that would change the result."""
    conclusion = groups(document)[0]
    parameters = " ".join(item.TextValue for item in items(conclusion, "111002"))

    assert items(conclusion, "111003")[0].TextValue.startswith("vfnode ")
    assert "a1" * 32 in parameters
    assert "b2" * 32 in parameters
    assert "moderate G <= 0.74" in parameters


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


def test_the_picture_is_what_viewers_take(picture):
    """RGB, by pixel, uncompressed, with a pixel size that a ruler may use."""
    assert picture.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (picture.PhotometricInterpretation, picture.PlanarConfiguration) == ("RGB", 0)
    assert picture.PixelSpacing == [0.3, 0.3]
    assert picture.PixelSpacingCalibrationType == "GEOMETRY"
    assert picture.PatientOrientation == ["P", "F"]
    assert picture.BodyPartExamined == "SPINE"
    assert "not for diagnosis" in picture.SeriesDescription
    assert "ImagePositionPatient" not in picture
    assert picture.LossyImageCompression == "00"


def test_the_picture_in_the_png_is_that_of_the_sc(result, picture):
    """The same pixels."""
    from PIL import Image  # noqa: PLC0415

    np.testing.assert_array_equal(
        np.asarray(Image.open(result / "sagittal.png")), picture.pixel_array
    )


def test_report_and_picture_stand_in_the_same_study_in_series_of_their_own(
    document, picture, series
):
    """Patient and study as in the CT, one series a modality."""
    for made in (document, picture):
        assert made.StudyInstanceUID == series.study_instance_uid
        assert made.PatientID == "P-1"
        assert made.PatientName == "Test^Patient"
        assert made.AccessionNumber == "A-1"
        assert made.InstanceCreationDate == "20260304"
    uids = {document.SeriesInstanceUID, picture.SeriesInstanceUID, series.series_instance_uid}
    assert len(uids) == 3


def test_running_twice_makes_the_same_bytes(result, series, tmp_path):
    """Same input, same time given: not a byte differs in the objects."""
    build_and_write(ANALYSES["positive"], series, tmp_path / "again", created=CREATED)

    for name in FILES - {"result.json"}:
        assert (tmp_path / "again" / name).read_bytes() == (result / name).read_bytes()


@pytest.mark.parametrize("kind", ANALYSES)
def test_the_json_keeps_its_contract(kind, answers):
    """By the published schema, and back to the same report."""
    told = json.loads((answers / kind / "result.json").read_text())

    jsonschema.validate(told, load_template("result.schema.json"))
    again = FractureReport.from_dict(told)
    assert again.to_dict()["vertebrae"] == ANALYSES[kind].report.to_dict()["vertebrae"]


def test_input_without_dicom_identity_gives_json_and_picture_only(tmp_path):
    """NIfTI has no study to put an object into."""
    written = build_and_write(ANALYSES["positive"], None, tmp_path / "out")

    told = json.loads((tmp_path / "out" / "result.json").read_text())
    jsonschema.validate(told, load_template("result.schema.json"))
    assert told["study_instance_uid"] is None
    assert {output.path.name for output in written} == {"result.json", "sagittal.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"result.json", "sagittal.png"}


def test_what_was_written_is_told_with_its_uids(series, tmp_path):
    """The node needs them for its receipts."""
    written = build_and_write(ANALYSES["negative"], series, tmp_path / "out")

    assert {output.path.name for output in written} == FILES
    report = next(output for output in written if output.path.name == "report.sr.dcm")
    assert report.sop_class_uid == Comprehensive3DSRStorage
    assert report.sop_instance_uid == pydicom.dcmread(report.path).SOPInstanceUID


def test_nothing_half_written_stays(series, tmp_path, monkeypatch):
    """An object that fails leaves neither files nor temporary folders."""

    def fail(*_: object) -> None:
        raise RuntimeError("no report today")

    broken = dataclasses.replace(OUTPUTS[0], build=fail)
    monkeypatch.setattr("vfnode.dicom.outputs.OUTPUTS", (broken, *OUTPUTS[1:]))

    with pytest.raises(RuntimeError, match="no report today"):
        build_and_write(ANALYSES["negative"], series, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_is_replaced(tmp_path):
    """A second run into the same folder leaves only its own files' content."""
    write_together(tmp_path / "out", {"a": b"old", "b": b"old"})
    write_together(tmp_path / "out", {"a": b"new", "b": b"new"})

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a", "b"]
    assert (tmp_path / "out" / "b").read_bytes() == b"new"


def dirty_series(folder: Path):
    """A CT whose header has everything wrong that still lets it be read."""
    for path in make_ct_folder(folder, make_volume()):
        edit(
            path,
            PatientName="Иванов",
            PatientBirthDate=None,
            PatientSex=None,
            StudyTime=None,
            StudyID="number 7 of the second floor",
            StudyDescription="Грудная клетка " * 8,
            ReferringPhysicianName=None,
            BodyPartExamined=None,
            Manufacturer=None,
            AccessionNumber=None,
        )
    return read_ct_series([folder])[0]


def test_a_dirty_header_gives_valid_results_all_the_same(tmp_path, caplog):
    """And neither logs nor warnings quote the patient."""
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dirty = dirty_series(tmp_path / "ct")
        build_and_write(ANALYSES["positive"], dirty, tmp_path / "out", created=CREATED)

    for path in (tmp_path / "out").glob("*.dcm"):
        assert dciodvfy_errors(path) == []
        assert pydicom.dcmread(path).PatientName == "Иванов"
    said = caplog.text + " ".join(str(warning.message) for warning in caught)
    assert "Иванов" not in said


@pytest.mark.parametrize("name", ["lidc-idri-0314", "lidc-idri-0001"])
def test_results_of_real_ct_are_valid(name, tmp_path):
    """LIDC-IDRI headers: empty names, times, dates, study ID."""
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(ABSENT)
    real = read_ct_series([folder])[0]

    build_and_write(ANALYSES["positive"], real, tmp_path / "out", created=CREATED)

    for path in (tmp_path / "out").glob("*.dcm"):
        assert dciodvfy_errors(path) == []


def test_results_of_an_enhanced_ct_name_the_frame(tmp_path):
    """One instance is evidence once; each vertebra points to its frame of it."""
    frames = frames_of(tmp_path / "frames", make_volume((60, 32, 24)))
    write_enhanced_ct(frames, tmp_path / "enhanced.dcm")
    enhanced = read_ct_series([tmp_path / "enhanced.dcm"])[0]

    build_and_write(ANALYSES["positive"], enhanced, tmp_path / "out", created=CREATED)

    for path in (tmp_path / "out").glob("*.dcm"):
        assert dciodvfy_errors(path) == []
    document = pydicom.dcmread(tmp_path / "out" / "report.sr.dcm")
    evidence = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(evidence.ReferencedSOPSequence) == 1
    centre = ANALYSES["positive"].report.vertebrae[0].centre_patient_mm
    image = items(groups(document)[1], "121112")[0].ReferencedSOPSequence[0]
    assert image.ReferencedFrameNumber == enhanced.instance_at(centre).frame + 1


def test_a_written_ct_is_valid(tmp_path):
    """What the demo sends would be taken by any PACS."""
    path = make_ct_folder(tmp_path)[0]

    assert dciodvfy_errors(path) == []


def test_highdicom_is_not_loaded_before_it_is_needed():
    """It takes 0.7 s: reading a CT and writing a NIfTI's result do without."""
    code = (
        "import sys, vfnode.dicom.ct_series, vfnode.dicom.outputs; "
        "print('highdicom' in sys.modules)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
