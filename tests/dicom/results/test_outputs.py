"""The table of outputs: written together or not at all; the contract of result.json."""

import json
import subprocess
import sys

import jsonschema
import numpy as np
import pydicom
import pytest
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from tests.dicom.answers import ANALYSES
from tests.factories import CREATED
from vfnode.dicom.results.output_files import OUTPUTS, When
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.templates import load_template
from vfnode.durable_files import write_together
from vfnode.spine.report import FractureReport

OBJECTS = [output.file_name for output in OUTPUTS if output.when is When.ALWAYS]
FILES = {"result.json", "sagittal.png", *OBJECTS}


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
    assert {path.name for path in (tmp_path / "out").glob("[!.]*")} == {
        "result.json",
        "sagittal.png",
    }


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

    monkeypatch.setattr("vfnode.dicom.results.picture_sc.build_annotated_sc", fail)

    with pytest.raises(RuntimeError, match="no report today"):
        build_and_write(ANALYSES["negative"], series, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_is_replaced(tmp_path):
    """A second run into the same folder leaves only its own files' content."""
    write_together(tmp_path / "out", {"a": b"old", "b": b"old"})
    write_together(tmp_path / "out", {"a": b"new", "b": b"new"})

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a", "b"]
    assert (tmp_path / "out" / "b").read_bytes() == b"new"


def test_highdicom_is_not_loaded_before_it_is_needed():
    """It takes 0.7 s: reading a CT and writing a NIfTI's result do without."""
    code = (
        "import sys, vfnode.dicom.reading.ct_series, vfnode.dicom.results.outputs; "
        "print('highdicom' in sys.modules)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
