"""Objects that a site may switch on, and the contract of every line of the table."""

import csv
import io
import json

import hl7apy.parser
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from tests.dicom.tools import dciodvfy_errors
from tests.factories import (
    CREATED,
    CUT,
    NORMAL,
    Body,
    make_analysis,
    make_refusal,
    make_series,
)
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.results.hl7_report import escaped
from vfnode.dicom.results.liaison_line import COLUMNS
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.results.outputs import build_and_write, builder_of, result_pictures
from vfnode.dicom.results.picture_sc import source_items
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import ResultSettings

ALL = ResultSettings(objects={output.name: "always" for output in OUTPUTS})
ANSWERS = {
    "positive": make_analysis(),
    "negative": make_analysis([NORMAL, NORMAL]),
    "numbered": make_analysis([Body(), Body()]),
    "only cut": make_analysis([CUT]),
    "not evaluable": make_refusal(),
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A CT of a patient whose name and identifiers have every delimiter in them."""
    return make_series(
        tmp_path_factory.mktemp("ct"),
        patient_name="O|Brien&Sons^Jörg~^M^Dr^jr",
        patient_id="=1+1",
        accession_number="A|1",
    )


@pytest.fixture(scope="module")
def answers(series, tmp_path_factory):
    """Every object of every answer."""
    folder = tmp_path_factory.mktemp("answers")
    for kind, analysis in ANSWERS.items():
        build_and_write(analysis, series, folder / kind, ALL, CREATED)
    return folder


def made_by(output, analysis, series, settings=ALL):
    """What a builder gives, as bytes, with its prerequisites made before."""
    context = ResultContext(analysis, series, settings, CREATED)
    pictures = result_pictures(analysis, series, settings, CREATED)
    building = Building(context, pictures, source_items(series))
    for other in OUTPUTS:
        made = builder_of(other)(building)
        if other is output:
            break
        if isinstance(made, Dataset):
            building.made[other.name] = made
    if made is None or isinstance(made, bytes):
        return made
    buffer = io.BytesIO()
    for dataset in made if isinstance(made, list) else [made]:
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
@pytest.mark.parametrize("kind", ANSWERS)
def test_a_builder_gives_the_same_bytes_again_or_nothing_at_all(output, kind, series):
    """The contract of the table: from the input alone, for every kind of answer."""
    first = made_by(output, ANSWERS[kind], series)

    assert made_by(output, ANSWERS[kind], series) == first
    assert first is None or len(first) > 0


def test_names_and_files_of_the_table_are_unique():
    """One is how settings call it, the other where it lies."""
    assert len({output.name for output in OUTPUTS}) == len(OUTPUTS)
    assert len({output.file_name for output in OUTPUTS}) == len(OUTPUTS)


@pytest.mark.parametrize("kind", ANSWERS)
def test_everything_together_is_sound(kind, answers):
    """Our own checker over all DICOM objects, and dciodvfy on each."""
    files = sorted((answers / kind).glob("*.dcm"))

    assert check_files(files) == ()
    assert [error for path in files for error in dciodvfy_errors(path)] == []


def test_key_objects_are_the_pictures(answers):
    """All three where there are three, in a series of their own."""
    key = pydicom.dcmread(answers / "positive" / "pictures.ko.dcm")
    pictures = [pydicom.dcmread(path) for path in (answers / "positive").glob("*.sc.dcm")]

    named = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in key.ContentSequence
        if "ReferencedSOPSequence" in item
    }
    assert key.SOPClassUID == KeyObjectSelectionDocumentStorage
    assert named == {picture.SOPInstanceUID for picture in pictures}
    assert key.SeriesInstanceUID not in {picture.SeriesInstanceUID for picture in pictures}
    assert len(pictures) == 3


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_fhir_bundle_is_valid(kind, answers):
    """Read back by the model classes; every reference leads to an entry."""
    bundle = Bundle.model_validate_json((answers / kind / "report.fhir.json").read_text("utf-8"))

    report, *observations = (entry.resource for entry in bundle.entry)
    urls = {entry.fullUrl for entry in bundle.entry}
    assert report.status == "preliminary"
    assert {reference.reference for reference in report.result or []} <= urls
    assert len(observations) == len(ANSWERS[kind].report.vertebrae)


def test_the_fhir_observations_say_what_the_report_says(answers):
    """Level, heights, G and grade of a severe body."""
    bundle = json.loads((answers / "positive" / "report.fhir.json").read_text("utf-8"))
    severe = bundle["entry"][4]["resource"]

    assert severe["bodySite"]["coding"][0]["code"] == "7610001"  # T10
    assert severe["valueCodeableConcept"]["coding"][0]["code"] == "52101004"  # present
    values = [part["valueQuantity"]["value"] for part in severe["component"][:5]]
    assert values == [20.0, 10.0, 21.0, 0.4762, 0.5238]
    assert severe["component"][5]["valueCodeableConcept"]["coding"][0]["code"] == "GENANT-3"
    assert bundle["entry"][0]["resource"]["conclusionCode"][0]["coding"][0]["code"] == "52101004"


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_hl7_message_is_valid(kind, answers):
    """By the grammar of ORU^R01; the delimiters in the patient's name are escaped."""
    text = (answers / kind / "report.oru.hl7").read_bytes().decode("utf-8")

    message = hl7apy.parser.parse_message(text, find_groups=True)

    assert message.validate()
    patient = message.oru_r01_patient_result.oru_r01_patient.pid
    assert patient.pid_5.to_er7() == "O\\F\\Brien\\T\\Sons^Jörg\\R\\^M^jr^Dr"
    assert text.startswith("MSH|^~\\&|VFNODE|")
    assert "UNICODE UTF-8" in text


def test_the_hl7_lines_say_what_the_report_says(answers):
    """Heights and grade of a severe body."""
    lines = (answers / "positive" / "report.oru.hl7").read_bytes().decode("utf-8").split("\r")
    severe = [line.split("|") for line in lines if "|T10" in line]

    assert [line[5].split("^")[0] for line in severe] == [
        *("VF-LEVEL-CERTAIN", "20.000", "10.000", "21.000", "0.4762", "0.5238"),
        *("52101004", "GENANT-3", "373067005"),
    ]
    assert all(line[11] == "P" for line in severe)


def test_texts_with_delimiters_are_escaped():
    """HL7 v2.5.1, 2.7: they would else end a field."""
    assert escaped("a|b^c&d~e\\f\r\n") == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f  "


def test_the_liaison_line_is_one_line_of_known_columns(answers):
    """And no value that a spreadsheet would execute."""
    rows = list(csv.reader(io.StringIO((answers / "positive/liaison.csv").read_text("utf-8"))))
    told = dict(zip(COLUMNS, rows[0], strict=True))

    assert len(rows) == 1
    assert told["PatientID"] == "'=1+1"
    assert told["fracture"] == "present"
    assert told["abnormal vertebrae"] == "T8 mild 22%; T9 moderate 30%; T10 severe 52%"
    assert told["smallest G"] == "0.476"


def test_optional_objects_are_not_made_unless_asked_for(series, tmp_path):
    """A PACS gets what it got before."""
    build_and_write(ANSWERS["positive"], series, tmp_path / "out", created=CREATED)

    assert {path.name for path in (tmp_path / "out").glob("[!.]*")} == {
        *("report.sr.dcm", "sagittal.sc.dcm", "sagittal-plain.sc.dcm", "projection.sc.dcm"),
        *("result.json", "sagittal.png"),
    }
