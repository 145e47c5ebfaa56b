"""Answers that are not a grade, answers that replace others, and answers in words."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import Comprehensive3DSRStorage

from tests.dicom.tools import dciodvfy_errors, edit
from tests.factories import (
    CREATED,
    CUT,
    MODELS,
    NORMAL,
    Body,
    make_analysis,
    make_ct_folder,
    make_refusal,
    make_series,
    make_volume,
)
from vfnode.dicom.checks.result_set import children
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.refused_series import read_refused_series
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.templates import load_template
from vfnode.errors import NotEvaluableError, ResultError, UnreadableInputError
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport

SR = "report.sr.dcm"
#: what a series may be refused for while it is read
REFUSALS = (Reason.TOO_FEW_SLICES, Reason.NOT_HU, Reason.GEOMETRY_REFUSED, Reason.NOT_CT)


def spoil(reason: Reason, paths: list[Path]) -> None:
    """Make a series one that is refused for this reason."""
    if reason is Reason.TOO_FEW_SLICES:
        for path in paths[4:]:
            path.unlink()
    elif reason is Reason.NOT_HU:
        for path in paths:
            edit(path, RescaleType="Z_EFF")
    elif reason is Reason.GEOMETRY_REFUSED:
        for path in paths:
            edit(path, ImagePositionPatient=None)
    else:
        for path in paths:
            edit(path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A small CT."""
    return make_series(tmp_path_factory.mktemp("ct"))


def conclusion(path):
    """The study's own group of an SR."""
    report = pydicom.dcmread(path)
    return children(report, "126010")[0].ContentSequence[0]


def comment(path):
    """The result in words."""
    return children(conclusion(path), "121106")[0].TextValue


@pytest.mark.parametrize("reason", REFUSALS, ids=lambda reason: reason.code)
def test_a_series_that_is_refused_while_read_still_has_an_answer(reason, tmp_path):
    """A coded report and one page, made from the headers alone."""
    paths = make_ct_folder(tmp_path / "ct", make_volume((60, 16, 16), (2.5, 4, 4)))
    spoil(reason, paths)
    with pytest.raises(NotEvaluableError) as refused:
        read_ct_series([tmp_path / "ct"])
    told = Reason.from_code(refused.value.code)

    written = build_and_write(
        Analysis(FractureReport((), None, (), reason=told), None),
        read_refused_series([tmp_path / "ct"]),
        tmp_path / "out",
        created=CREATED,
    )

    assert told is reason
    assert {each.path.name for each in written} == {
        *(SR, "sagittal.sc.dcm", "sagittal.png", "result.json")
    }
    for name in (SR, "sagittal.sc.dcm"):
        assert dciodvfy_errors(tmp_path / "out" / name) == []
    codes = load_template("codes.json")["reasons"]
    said = children(conclusion(tmp_path / "out" / SR), "VF-NOT-GRADED")[0]
    assert said.ConceptCodeSequence[0].CodeValue == codes[reason.code]
    present = [path for path in paths if path.exists()]
    assert check_files([*(tmp_path / "out").glob("*.dcm"), *present]) == ()


def test_a_damaged_file_does_not_silence_the_answer(tmp_path):
    """The other headers tell whose study it is."""
    paths = make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1)))
    paths[0].write_bytes(b"damaged")

    assert len(read_refused_series(paths).instances) == 9


def test_without_any_header_there_is_no_answer(tmp_path):
    """Nobody could say whose it is."""
    (tmp_path / "a.dcm").write_bytes(b"damaged")

    with pytest.raises(UnreadableInputError, match="no header"):
        read_refused_series([tmp_path / "a.dcm"])


def test_a_computation_that_failed_and_then_did_not_has_two_answers(series, tmp_path):
    """With UIDs of their own: the second must not look like the first."""
    failed = make_refusal(Reason.COMPUTE_FAILED)
    for name, analysis in (("failed", failed), ("later", make_analysis([NORMAL]))):
        build_and_write(analysis, series, tmp_path / name, created=CREATED)

    uids = {pydicom.dcmread(tmp_path / name / SR).SOPInstanceUID for name in ("failed", "later")}
    assert len(uids) == 2


def test_only_cut_bodies_are_an_undetermined_answer_with_its_reason(series, tmp_path):
    """Measured, not graded: the study's group says why."""
    build_and_write(make_analysis([CUT]), series, tmp_path / "out", created=CREATED)

    said = children(conclusion(tmp_path / "out" / SR), "VF-NOT-GRADED")[0]
    assert said.ConceptCodeSequence[0].CodeMeaning == Reason.NONE_GRADED.meaning


def test_a_later_run_names_what_it_replaces(series, tmp_path):
    """In the report by reference, in the words, and on the picture."""
    first, later = tmp_path / "first", tmp_path / "later"
    build_and_write(make_analysis([NORMAL]), series, first, created=CREATED)

    build_and_write(make_analysis(), series, later, created=CREATED, replaces=first / SR)

    old, new = pydicom.dcmread(first / SR), pydicom.dcmread(later / SR)
    before = new.PredecessorDocumentsSequence[0]
    assert before.StudyInstanceUID == old.StudyInstanceUID
    reference = before.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == Comprehensive3DSRStorage
    assert "replaces that of 2026-03-04 15:16" in comment(later / SR)
    assert dciodvfy_errors(later / SR) == []
    build_and_write(make_analysis(), series, tmp_path / "plain", created=CREATED)
    assert (later / "sagittal.png").read_bytes() != (tmp_path / "plain/sagittal.png").read_bytes()


def test_a_predecessor_that_is_no_report_is_an_error(series, tmp_path):
    """Nothing is written: the chain of documents would be broken."""
    (tmp_path / "x.dcm").write_bytes(b"no report")

    with pytest.raises(ResultError, match="to be replaced"):
        build_and_write(make_analysis(), series, tmp_path / "out", replaces=tmp_path / "x.dcm")

    assert not (tmp_path / "out").exists()


def test_the_result_in_words_says_all_that_matters(series, tmp_path):
    """For viewers that show text only: each abnormal body with numbers and where to look."""
    build_and_write(
        make_analysis(quality=(Reason.THICK_SLICES,)), series, tmp_path / "out", created=CREATED
    )

    said = comment(tmp_path / "out" / SR)

    assert said.startswith("T9: moderate wedge, 30 % height loss. T10: severe biconcave")
    assert "Mild deformity, fracture undetermined: T8 (22 %)." in said
    assert "Assessed: T7 to T10; bodies: 4." in said
    assert "T9: G 0.700 (loss against the posterior height 30%)" in said
    assert "heights 14.0/17.0/20.0 mm, level certain to 93%, image 29 (slice 29/60)." in said
    assert "T7:" not in said
    assert "Not assessed: T11" in said
    assert "mild 0.80, moderate 0.74, severe 0.60; graded levels T4 to L4." in said
    assert "Slices thicker than 3 mm" in said
    assert "not for diagnosis" in said


def test_a_body_without_a_name_is_not_given_one_in_words(series, tmp_path):
    """Nor a certainty of nought per cent."""
    build_and_write(
        make_analysis([Body(heights_mm=(14.0, 17.0, 20.0))]), series, tmp_path, created=CREATED
    )

    assert "#1: moderate wedge" in comment(tmp_path / SR)
    assert "level not named" in comment(tmp_path / SR)


def test_a_site_can_have_its_texts_in_russian(series, tmp_path):
    """Report, pictures and descriptions; codes and code meanings stay as the standard has them."""
    build_and_write(
        make_analysis(), series, tmp_path, ResultSettings(language="ru"), created=CREATED
    )

    assert comment(tmp_path / SR).startswith("T9: умеренная клиновидная деформация")
    report = pydicom.dcmread(tmp_path / SR)
    language = children(report, "121049")[0].ConceptCodeSequence[0]
    assert language.CodeValue == "ru-RU"
    assert "не для диагноза" in report.SeriesDescription
    for path in tmp_path.glob("*.dcm"):
        assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("name", ["picture_texts.json", "sr_texts.json"])
def test_every_text_exists_in_every_language(name):
    """The same keys, the same places to fill in."""
    languages = load_template(name)

    def shape(texts):
        if isinstance(texts, dict):
            return {key: shape(value) for key, value in texts.items()}
        return sorted(part.split("}")[0] for part in texts.split("{")[1:])

    assert shape(languages["ru"]) == shape(languages["en"])


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.code)
def test_every_reason_has_words(reason):
    """The English ones are the code's own meaning."""
    languages = load_template("picture_texts.json")

    assert languages["en"]["reasons"][reason.code] == reason.meaning
    assert languages["ru"]["reasons"][reason.code]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
@pytest.mark.parametrize(
    ("when", "bodies", "made"),
    [
        ("always", [NORMAL], True),
        ("positives", [NORMAL], False),
        ("positives", None, True),
        ("never", None, False),
    ],
)
def test_a_site_chooses_each_object(output, when, bodies, made, series, tmp_path):
    """Always, positives only, or never."""
    others = {other.name: "never" for other in OUTPUTS}
    settings = ResultSettings(objects={**others, output.name: when})
    needed = {"key_objects": {"picture": "always"}}.get(output.name, {})
    settings = ResultSettings(objects={**settings.objects, **needed})
    analysis = make_analysis(bodies) if bodies else make_analysis()

    build_and_write(analysis, series, tmp_path / "out", settings, CREATED)

    written = [path.name for path in (tmp_path / "out").iterdir()]
    assert any(output.owns(name) for name in written) is made


def test_a_setting_for_an_unknown_object_is_an_error(series, tmp_path):
    """A slip of the pen is told and not passed over."""
    with pytest.raises(ResultError, match="no output is called reprot"):
        build_and_write(
            make_analysis(), series, tmp_path / "out", ResultSettings(objects={"reprot": "never"})
        )


def test_models_that_had_no_part_are_not_named(series, tmp_path):
    """A refusal while reading used no weights."""
    build_and_write(make_refusal(), series, tmp_path / "with", created=CREATED)

    parameters = children(conclusion(tmp_path / "with" / SR), "111002")
    assert len(parameters) == len(MODELS) + 1
