"""Names in doubt and bodies that are not graded: every object says so."""

import csv
import io
import json

import numpy as np
import pydicom
import pytest

from tests.factories import (
    CREATED,
    MODERATE,
    NORMAL,
    Body,
    make_analysis,
    make_series,
)
from vfnode.dicom.checks.result_set import children
from vfnode.dicom.picture.drawing import draw_picture
from vfnode.dicom.picture.layout import PictureFacts
from vfnode.dicom.results.liaison_line import COLUMNS
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.wording import level_label, not_graded_text, notes_of, words
from vfnode.spine.reason import Reason

ALL = ResultSettings(objects={output.name: "always" for output in OUTPUTS})
METAL = Body("T11", withheld=Reason.METAL)
BODIES = (NORMAL, MODERATE, METAL, Body())
ANSWERS = {
    "certain": make_analysis(BODIES),
    "uncertain": make_analysis(BODIES, quality=(Reason.LEVEL_UNCERTAIN, Reason.METAL)),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every object of a report with certain and with uncertain names."""
    folder = tmp_path_factory.mktemp("answers")
    series = make_series(folder / "ct")
    for kind, analysis in ANSWERS.items():
        build_and_write(analysis, series, folder / kind, ALL, CREATED)
    return folder


@pytest.mark.parametrize(
    ("kind", "labels"),
    [("certain", ["T7", "T9", "T11", "#4"]), ("uncertain", ["T7?", "T9?", "T11?", "#4"])],
)
def test_people_read_a_question_mark_behind_a_name_in_doubt(kind, labels):
    """A number that is no name needs none."""
    report = ANSWERS[kind].report

    assert [level_label(report, index) for index in range(4)] == labels


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("certain", [*["VF-LEVEL-CERTAIN"] * 3, "VF-LEVEL-UNNAMED"]),
        ("uncertain", [*["64957009"] * 3, "VF-LEVEL-UNNAMED"]),
    ],
)
def test_the_report_codes_how_certain_each_name_is(kind, codes, answers):
    """Beside the confidence in numbers; the tracking identifier is the bare name."""
    report = pydicom.dcmread(answers / kind / "report.sr.dcm")
    groups = children(report, "126010")[0].ContentSequence[1:]

    said = [children(group, "VF-LEVEL-CERT")[0].ConceptCodeSequence[0] for group in groups]

    assert [code.CodeValue for code in said] == codes
    assert [children(group, "112039")[0].TextValue for group in groups][:2] == ["T7", "T9"]
    assert len(children(groups[0], "VF-LEVEL-CONF")) == 1


def test_the_words_say_that_names_may_be_shifted(answers):
    """In the headline, beside the body, and among the limitations."""
    report = pydicom.dcmread(answers / "uncertain" / "report.sr.dcm")
    conclusion = children(report, "126010")[0].ContentSequence[0]
    said = children(conclusion, "121106")[0].TextValue

    assert "T9?: moderate wedge, 30 % height loss" in said
    assert "level uncertain, may be shifted by one (93%)" in said
    assert "all may be shifted by one" in said
    assert "Not assessed: T11? (Metal in or beside a vertebral body" in said


def test_uncertain_names_reach_fhir_hl7_and_the_liaison_list(answers):
    """Coded in the first two, with the sign and the reason in the line."""
    folder = answers / "uncertain"
    bundle = json.loads((folder / "report.fhir.json").read_text("utf-8"))
    moderate = bundle["entry"][2]["resource"]
    certainty = moderate["component"][-1]["valueCodeableConcept"]["coding"][0]
    message = (folder / "report.oru.hl7").read_bytes().decode("utf-8").split("\r")
    row = next(csv.reader(io.StringIO((folder / "liaison.csv").read_text("utf-8"))))
    told = dict(zip(COLUMNS, row, strict=True))

    assert moderate["bodySite"]["text"] == "T9?"
    assert (certainty["code"], certainty["display"]) == ("64957009", "Uncertain")
    assert any("VF-LEVEL-CERT" in line and "|T9|64957009^Uncertain" in line for line in message)
    assert any("VF-QUALITY" in line and "VF-R13" in line for line in message)
    assert told["abnormal vertebrae"] == "T9? moderate 30%"
    assert told["limitations"] == "level-uncertain; metal"


def test_the_picture_warns_of_uncertain_names_below_the_image():
    """What is said of single bodies stands in their rows and not there again."""
    analysis = ANSWERS["uncertain"]
    facts = PictureFacts("vfnode", "1.2.3", CREATED, notes=notes_of(analysis.report))
    with_notes = draw_picture(analysis, facts)
    without = draw_picture(analysis, PictureFacts("vfnode", "1.2.3", CREATED))

    changed = np.flatnonzero((with_notes.rgb != without.rgb).any((1, 2)))

    place = with_notes.geometry
    assert facts.notes == (Reason.LEVEL_UNCERTAIN,)
    assert changed.min() > place.top_px + place.height_px


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.CUT_VERTEBRA, "cut, not graded"),
        (Reason.UNCERTAIN_KEYPOINTS, "uncertain, not graded"),
        (Reason.METAL, "metal, not graded"),
        (Reason.CEMENT, "cement, not graded"),
        (Reason.THICK_SLICES, "not graded"),
    ],
)
def test_the_row_of_a_body_that_is_not_graded_says_why(reason, text):
    """Not always "cut"; a reason without words of its own is not given another one's."""
    finding = make_analysis([Body("T5", withheld=reason)]).report.vertebrae[0]

    assert not_graded_text(finding, "en") == text


def test_a_whole_body_that_is_not_graded_carries_its_slice():
    """A person has to look at it; a cut one is seen to be cut."""

    def drawn(reason, slices):
        analysis = make_analysis([Body("T5", withheld=reason)])
        return draw_picture(analysis, PictureFacts("vfnode", "1", CREATED, slices=slices)).rgb

    for reason, shown in ((Reason.METAL, True), (Reason.CUT_VERTEBRA, False)):
        same = np.array_equal(drawn(reason, ("image 7",)), drawn(reason, ("",)))
        assert same is not shown


def test_the_words_for_reasons_are_the_same_in_every_language():
    """None is forgotten in one of them."""
    assert words("ru")["not_graded"].keys() == words("en")["not_graded"].keys()
