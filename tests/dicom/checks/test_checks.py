"""The semantic checker: each rule finds the fault that it is there for."""

import copy
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from typer.testing import CliRunner

from tests.factories import (
    CREATED,
    CUT,
    NORMAL,
    make_analysis,
    make_ct_folder,
    make_refusal,
)
from vfnode.cli import app
from vfnode.dicom.checks.result_set import CheckedObject, ResultSet, children, read_set
from vfnode.dicom.checks.rules import RULES, check, check_files
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.results.fracture_sr import build_fracture_sr
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.result_context import Building
from vfnode.dicom.results.settings import ResultSettings
from vfnode.errors import ResultError, UnreadableInputError

WITH_PLANES = ResultSettings(objects={"reformat": "always"})
ANSWERS = {
    "positive": make_analysis(),
    "negative": make_analysis([NORMAL, NORMAL]),
    "only cut": make_analysis([CUT]),
    "not evaluable": make_refusal(),
}


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    """Files of a small CT."""
    return make_ct_folder(tmp_path_factory.mktemp("ct"))


@pytest.fixture(scope="module")
def answers(ct, tmp_path_factory):
    """Folder of the objects of each kind of answer."""
    folder = tmp_path_factory.mktemp("answers")
    for kind, analysis in ANSWERS.items():
        build_and_write(analysis, read_ct_series(ct)[0], folder / kind, WITH_PLANES, CREATED)
    return folder


@pytest.fixture(scope="module")
def sound(answers, ct):
    """The objects of a positive report with their CT, read back."""
    return read_set([*sorted((answers / "positive").glob("*.dcm")), *ct])


def groups(report: Dataset) -> list[Dataset]:
    """The measurement groups of an SR."""
    return list(children(report, "126010")[0].ContentSequence)


def drop(parent: Dataset, code: str) -> None:
    """Take every child with this name away."""
    gone = children(parent, code)
    parent.ContentSequence = Sequence(x for x in parent.ContentSequence if x not in gone)


def height(report: Dataset) -> Dataset:
    """The first height of the first vertebra."""
    return children(groups(report)[1], "121207")[0]


def line(report: Dataset) -> Dataset:
    """Its line in the patient."""
    return next(x for x in height(report).ContentSequence if x.ValueType == "SCOORD3D")


def place(report: Dataset) -> Dataset:
    """Where on the picture the bodies were counted."""
    counted = children(groups(report)[0], "VF-N-GRADED")[0]
    return next(x for x in counted.ContentSequence if x.ValueType == "SCOORD")


def set_in(dataset: Dataset, **values: object) -> None:
    """Set attributes."""
    for keyword, value in values.items():
        setattr(dataset, keyword, value)


def answer(report: Dataset, group: int, code: str) -> Dataset:
    """The code with which a group answers."""
    found: Dataset = children(groups(report)[group], code)[0].ConceptCodeSequence[0]
    return found


def unit(report: Dataset) -> Dataset:
    """Unit of the first height."""
    found: Dataset = height(report).MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    return found


def listed(report: Dataset) -> list[Dataset]:
    """References of the evidence."""
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    found: list[Dataset] = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    return found


SR, SC, CT = "report.sr.dcm", "sagittal.sc.dcm", "reformat-02.ct.dcm"
#: rule, object, what is done to it; most of these pass dciodvfy, dsrdump and PixelMed
MUTANTS: list[tuple[str, str, Callable[[Dataset], object]]] = [
    ("attributes", SC, lambda d: delattr(d, "Modality")),
    ("attributes", SC, lambda d: delattr(d, "ImageType")),
    ("attributes", SC, lambda d: set_in(d, BurnedInAnnotation="NO")),
    ("attributes", SC, lambda d: set_in(d, PlanarConfiguration=1)),
    ("attributes", SC, lambda d: set_in(d, ContentQualification="PRODUCT")),
    ("attributes", SR, lambda d: set_in(d, SpecificCharacterSet="ISO_IR 999")),
    ("attributes", SR, lambda d: delattr(d, "PatientSex")),
    ("attributes", SR, lambda d: delattr(d, "CompletionFlag")),
    ("character set", SR, lambda d: set_in(d, StudyDescription="\ufffd\ufffd")),
    ("uid form", SC, lambda d: set_in(d.SourceImageSequence[0], ReferencedSOPClassUID="1.02.3")),
    ("uid reuse", SR, lambda d: set_in(d, SeriesInstanceUID=d.SOPInstanceUID)),
    ("uid reuse", SC, lambda d: set_in(d, SeriesInstanceUID=d.StudyInstanceUID)),
    ("file meta", SR, lambda d: set_in(d.file_meta, MediaStorageSOPInstanceUID="1.2.3")),
    ("file meta", SC, lambda d: set_in(d.file_meta, TransferSyntaxUID="1.2.840.10008.1.2")),
    ("one study", SC, lambda d: set_in(d, PatientID="someone else")),
    ("one study", SR, lambda d: set_in(d, StudyInstanceUID="1.2.3.4")),
    ("codes", SR, lambda d: set_in(answer(d, 1, "363698007"), CodeMeaning="T8 vertebra")),
    ("codes", SR, lambda d: set_in(answer(d, 1, "VF-GENANT"), CodeValue="GENANT-9")),
    ("identity", SC, lambda d: set_in(d, SeriesDescription=f"Heights of {d.PatientName}")),
    ("template", SR, lambda d: set_in(d.ContentTemplateSequence[0], TemplateIdentifier="2000")),
    ("template", SR, lambda d: drop(d, "121058")),
    ("template", SR, lambda d: drop(d, "121012")),
    ("tracking", SR, lambda d: drop(groups(d)[2], "112040")),
    (
        "tracking",
        SR,
        lambda d: set_in(
            children(groups(d)[2], "112040")[0], UID=children(groups(d)[1], "112040")[0].UID
        ),
    ),
    ("algorithm", SR, lambda d: drop(groups(d)[1], "111003")),
    ("algorithm", SR, lambda d: drop(groups(d)[0], "111002")),
    ("units", SR, lambda d: set_in(unit(d), CodeValue="banana")),
    ("units", SR, lambda d: set_in(unit(d), CodeValue="cm")),
    ("frame of reference", SR, lambda d: set_in(line(d), ReferencedFrameOfReferenceUID="1.2.3")),
    ("heights", SR, lambda d: set_in(height(d).MeasuredValueSequence[0], NumericValue="19.2")),
    ("heights", SR, lambda d: drop(groups(d)[1], "121207")),
    ("heights", SR, lambda d: set_in(line(d), GraphicData=[0.0] * 9)),
    (
        "ratios",
        SR,
        lambda d: set_in(
            children(groups(d)[1], "VF-G")[0].MeasuredValueSequence[0], NumericValue="0.5"
        ),
    ),
    ("grades", SR, lambda d: set_in(answer(d, 4, "246112005"), CodeValue="255604002")),
    ("grades", SR, lambda d: drop(groups(d)[5], "VF-NOT-GRADED")),
    ("conclusion", SR, lambda d: set_in(answer(d, 0, "42942008"), CodeValue="272519000")),
    ("conclusion", SR, lambda d: drop(groups(d)[0], "VF-N-GRADED")),
    ("conclusion", SR, lambda d: drop(groups(d)[0], "VF-G-MIN")),
    ("evidence", SR, lambda d: listed(d).pop()),
    ("evidence", SR, lambda d: set_in(listed(d)[0], ReferencedSOPInstanceUID="1.2.3")),
    (
        "evidence",
        SR,
        lambda d: d.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence.pop(),
    ),
    ("places on pictures", SR, lambda d: place(d).GraphicData.__setitem__(0, 5000.0)),
    ("levels", SR, lambda d: drop(groups(d)[1], "VF-LEVEL-CERT")),
    ("levels", SR, lambda d: set_in(answer(d, 1, "VF-LEVEL-CERT"), CodeValue="64957009")),
    ("levels", SR, lambda d: set_in(answer(d, 1, "VF-LEVEL-CERT"), CodeValue="VF-LEVEL-UNNAMED")),
    ("pixels", SC, lambda d: set_in(d, Rows=d.Rows - 1)),
    ("pixels", SC, lambda d: set_in(d, PixelData=d.PixelData[:-2])),
    ("calibration", SC, lambda d: set_in(d, PixelSpacing=["0.3", "0.4"])),
    ("calibration", SC, lambda d: delattr(d, "PixelSpacingCalibrationType")),
    ("no plane", SC, lambda d: set_in(d, ImagePositionPatient=["0", "0", "0"])),
    ("sources", SC, lambda d: d.SourceImageSequence.pop()),
    ("attributes", CT, lambda d: delattr(d, "DerivationDescription")),
    ("planes", CT, lambda d: set_in(d, FrameOfReferenceUID="1.2.3")),
    ("planes", CT, lambda d: set_in(d, ImagePositionPatient=[0, 0, 0])),
    ("planes", CT, lambda d: set_in(d, ImageOrientationPatient=[0, 1, 0, 0, 0.6, -0.8])),
    ("planes", CT, lambda d: set_in(d, PixelData=d.PixelData[:-2])),
]


@pytest.mark.parametrize("kind", ANSWERS)
def test_sound_results_pass_with_and_without_their_ct(kind, answers, ct):
    """No rule cries at an object as it should be."""
    files = sorted((answers / kind).glob("*.dcm"))

    assert check_files(files) == ()
    assert check_files([*files, *ct]) == ()


@pytest.mark.parametrize(
    ("rule", "name", "mutate"), MUTANTS, ids=[f"{i}-{m[0]}" for i, m in enumerate(MUTANTS)]
)
def test_each_rule_kills_its_mutant(rule, name, mutate, sound):
    """One fault at a time; the rule that is meant for it names the object or the set."""
    objects = [
        CheckedObject(each.name, copy.deepcopy(each.dataset) if each.name == name else each.dataset)
        for each in sound.objects
    ]
    mutate(next(each.dataset for each in objects if each.name == name))

    found = check(ResultSet(tuple(objects), sound.ct))

    assert rule in {violation.rule for violation in found}
    assert {violation.file for violation in found if violation.rule == rule} <= {
        *(each.name for each in objects),
        "the set",
    }


def test_every_rule_has_a_mutant():
    """A rule that nothing can break would be no rule."""
    assert {rule.name for rule in RULES} == {rule for rule, _, _ in MUTANTS}


def test_every_rule_says_what_must_hold():
    """In its docstring, for the documents."""
    assert all(rule.find.__doc__ for rule in RULES)


def test_an_object_that_fails_is_not_written(ct, tmp_path, monkeypatch):
    """Nothing is left behind, and the error names object, rule and finding."""

    def spoilt(building: Building) -> Dataset:
        report = build_fracture_sr(building)
        drop(groups(report)[1], "112040")
        return report

    monkeypatch.setattr("vfnode.dicom.results.fracture_sr.build_fracture_sr", spoilt)

    with pytest.raises(ResultError, match=r"report\.sr\.dcm: tracking: a group has no"):
        build_and_write(ANSWERS["positive"], read_ct_series(ct)[0], tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_dicom_is_named(tmp_path):
    """Not a finding but an error of the caller."""
    path = tmp_path / "notes.txt"
    path.write_text("not DICOM")

    with pytest.raises(UnreadableInputError, match=r"notes\.txt"):
        check_files([path])


def run(*arguments: Path) -> tuple[int, str]:
    """Exit code and output of ``vfnode check``."""
    done = CliRunner().invoke(app, ["check", *map(str, arguments)])
    return done.exit_code, done.output


def test_the_command_says_that_all_is_well(answers):
    """In one line, exit code 0."""
    code, said = run(*sorted((answers / "positive").glob("*.dcm")))

    assert code == 0
    assert "no findings" in said


def test_the_command_lists_findings(answers, tmp_path):
    """One a line, exit code 1."""
    report = pydicom.dcmread(answers / "positive" / SR)
    drop(groups(report)[1], "112040")
    report.save_as(tmp_path / "broken.dcm")

    code, said = run(tmp_path / "broken.dcm")

    assert code == 1
    assert "broken.dcm: tracking: a group has no Tracking Unique Identifier" in said
