"""Results in the eyes of validators that are not ours: every answer and every trap in a header."""

import logging
import subprocess
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ComprehensiveSRStorage

from tests.dicom.answers import ANALYSES, groups, items
from tests.dicom.dirty_headers import TRAPS, spoil
from tests.dicom.enhanced_ct import frames_of, write_enhanced_ct
from tests.dicom.tools import dciodvfy_errors, tool
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
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.results.fracture_sr_2d import flat_report
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.spine.reason import Reason

NAME = "Иванов^Пётр"
REAL = ("lidc-idri-0314", "lidc-idri-0001")
#: Each kind of answer of which one is enough for the slowest validator.
KINDS = ("negative", "positive", "superseding", "doubtful", "refused", "flat")


def write_answer(kind: str, folder: Path) -> None:
    """The objects of one kind of answer; the patient has a Cyrillic name."""
    series = make_series(folder / "ct", make_volume((60, 16, 16), (2.5, 4, 4)), patient_name=NAME)
    russian = ResultSettings(language="ru")
    doubt = (Reason.LEVEL_UNCERTAIN, Reason.METAL)
    analysis = {
        "negative": make_analysis([NORMAL]),
        "positive": make_analysis([MODERATE]),
        "superseding": make_analysis([CUT]),
        "doubtful": make_analysis([Body("T5", withheld=Reason.METAL)], quality=doubt),
        "refused": make_refusal(),
        "flat": make_analysis([MODERATE]),
    }[kind]
    replaces = None
    if kind == "superseding":
        build_and_write(make_analysis([MODERATE]), series, folder / "before", russian, CREATED)
        replaces = folder / "before" / "report.sr.dcm"
    build_and_write(analysis, series, folder / "out", russian, CREATED, replaces)
    if kind == "flat":
        report = flat_report(folder / "out", ComprehensiveSRStorage)
        report.save_as(folder / "out" / "report.sr.dcm", enforce_file_format=True)


def write_trapped(trap: str, folder: Path) -> None:
    """The objects of a study that was not evaluated, of a CT with a dirty header."""
    paths = make_ct_folder(folder / "ct", make_volume((12, 16, 16), (5, 4, 4)))
    spoil(paths, trap)
    series = read_ct_series([folder / "ct"], "cp1251")[0]
    build_and_write(make_refusal(), series, folder / "out", created=CREATED)


def write_real(name: str, folder: Path) -> None:
    """The objects of a made-up report on a real CT."""
    series = read_ct_series([SHARED / "data" / name])[0]
    build_and_write(make_analysis([NORMAL]), series, folder / "out", created=CREATED)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Folder of a result each: every answer, every trap, real CT where there is some."""
    folder = tmp_path_factory.mktemp("corpus")
    for kind in KINDS:
        write_answer(kind, folder / kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, on the headers that are meant to be wrong
        for trap in TRAPS:
            write_trapped(trap, folder / trap)
    for name in REAL:
        if (SHARED / "data" / name).exists():
            write_real(name, folder / name)
    return folder


def objects_of(corpus, kind):
    """The DICOM objects of one result of the corpus."""
    if kind in REAL and not (corpus / kind).exists():
        pytest.skip(ABSENT)
    return sorted((corpus / kind / "out").glob("*.dcm"))


def dsrdump_complaints(path: Path) -> list[str]:
    """What DCMTK says of a report, but for a character set that its VR checker does not know."""
    run = subprocess.run([tool("dsrdump"), str(path)], capture_output=True, check=True, timeout=120)
    # It shortens texts in the middle of a letter: no UTF-8 any more.
    assert b"Imaging Measurement Report" in run.stdout
    said = run.stderr.decode("utf-8", "replace").splitlines()
    return [line for line in said if "Specific Character Set" not in line]


@pytest.mark.parametrize("kind", ANALYSES)
def test_every_object_of_every_answer_is_valid_dicom(kind, answers):
    """dciodvfy and DCMTK find no error, whatever the answer."""
    found = sorted((answers / kind).glob("*.dcm"))

    assert len(found) >= 2
    assert [error for path in found for error in dciodvfy_errors(path)] == []
    assert dsrdump_complaints(answers / kind / "report.sr.dcm") == []


@pytest.mark.parametrize("kind", [*KINDS, *TRAPS, *REAL])
def test_every_result_of_the_corpus_is_valid(kind, corpus):
    """dciodvfy on every object, DCMTK on the report, our own checker on all together."""
    found = objects_of(corpus, kind)

    assert len(found) >= 2
    assert [error for path in found for error in dciodvfy_errors(path)] == []
    assert dsrdump_complaints(found[-1].parent / "report.sr.dcm") == []
    assert check_files(found) == ()


def pixelmed_says(paths: list[Path]) -> list[str]:
    """Output of PixelMed's validator, the only one that knows TID 1500."""
    jars = Path("/usr/share/java")
    if not (jars / "pixelmed.jar").exists():
        pytest.skip("libpixelmed-java is not installed")
    names = ("pixelmed", "slf4j-api", "slf4j-nop", "commons-codec", "javax.json")
    run = subprocess.run(
        [
            *(tool("java"), "-Xss512m", "-Xmx4g", "-XX:TieredStopAtLevel=1"),
            *(f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("ExprOp", "TotalOp", "ExprGrp")),
            *("-cp", ":".join(str(jars / f"{name}.jar") for name in names)),
            str(Path(__file__).parents[1] / "ValidateReports.java"),
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
    )
    return run.stdout.splitlines()


def test_reports_follow_their_template(corpus):
    """PixelMed, which alone knows TID 1500, finds no error in any report of the corpus."""
    reports = sorted(corpus.glob("*/out/report.sr.dcm"))

    said = pixelmed_says(reports)

    assert len(reports) >= len(KINDS) + len(TRAPS)
    assert len([line for line in said if "Found Root Template" in line]) == len(reports)
    assert [line for line in said if line.startswith("Error")] == []


def test_nothing_about_a_patient_with_a_dirty_header_is_said(tmp_path, caplog):
    """Neither logs nor warnings quote a name."""
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        paths = make_ct_folder(tmp_path / "ct", make_volume((12, 16, 16), (5, 4, 4)))
        spoil(paths, "Cyrillic declared as Latin")
        caught.clear()
        series = read_ct_series([tmp_path / "ct"], "cp1251")[0]
        build_and_write(make_refusal(), series, tmp_path / "out", created=CREATED)

    assert pydicom.dcmread(tmp_path / "out" / "report.sr.dcm").PatientName == NAME
    said = caplog.text + " ".join(str(warning.message) for warning in caught)
    assert "Иванов" not in said


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
