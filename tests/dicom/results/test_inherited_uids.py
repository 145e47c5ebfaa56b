"""UIDs of the scanner are repeated byte for byte; the checks look at what is made here."""

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.dicom.tools import edit
from tests.factories import CREATED, make_analysis, make_ct_folder, make_volume
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.identity_header import clean_value
from vfnode.dicom.results.outputs import build_and_write
from vfnode.spine.reason import Reason


def results_of(folder: Path, uid_of: Callable[[int], str], *keywords: str) -> list[Dataset]:
    """Results of a CT whose UIDs are made by a scanner of its own mind."""
    paths = make_ct_folder(folder / "ct", make_volume())
    for index, path in enumerate(paths):
        edit(path, **dict.fromkeys(keywords, uid_of(index)))
    series = read_ct_series([folder / "ct"])[0]
    build_and_write(make_analysis(), series, folder / "out", created=CREATED)
    files = sorted((folder / "out").glob("*.dcm"))
    assert check_files(files) == check_files([*files, *paths]) == ()
    return [pydicom.dcmread(path) for path in files]


@pytest.mark.parametrize("uid", ["1.2.826.0.1.3680043.09.1.007", "1.2.3-4", "1" * 65, "study 7"])
@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"]
)
def test_a_uid_is_inherited_however_it_looks(keyword, uid, tmp_path):
    """Leading zeros, text, 65 characters: with another one it would be another study."""
    made = results_of(tmp_path, lambda _: uid, keyword)

    assert len(made) == 4
    for each in made:
        assert UID(each.SOPInstanceUID).is_valid
        assert UID(each.SeriesInstanceUID).is_valid
        assert (each.StudyInstanceUID == uid) is (keyword == "StudyInstanceUID")
    report = next(each for each in made if each.Modality == "SR")
    assert uid in str(report)


def test_uids_of_slices_with_leading_zeros_are_referenced_as_they_are(tmp_path):
    """ "...%03d", as some scanners number them."""
    made = results_of(tmp_path, lambda index: f"1.2.840.{index:03d}", "SOPInstanceUID")

    report = next(each for each in made if each.Modality == "SR")
    assert "1.2.840.007" in str(report.CurrentRequestedProcedureEvidenceSequence)


def test_one_uid_for_study_series_and_frame_is_the_scanners(tmp_path):
    """What is the same thrice in the CT is no fault of the result."""
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

    made = results_of(tmp_path, lambda _: "1.2.3", *keywords)

    assert {each.StudyInstanceUID for each in made} == {"1.2.3"}


@pytest.mark.parametrize("uid", ["", "1.2\\3.4", "ИССЛЕДОВАНИЕ", "9" * 81])
def test_a_uid_that_no_result_can_carry_is_derived_and_told(uid, tmp_path):
    """A valid one, the same for every slice, and a coded limitation."""
    paths = make_ct_folder(tmp_path / "ct", make_volume())
    for path in paths:
        edit(path, StudyInstanceUID="1.2.3")
        raw = path.read_bytes()
        old = b"UI\x06\x001.2.3\x00"
        new = uid.encode("utf-8")
        new += b"\0" * (len(new) % 2)
        path.write_bytes(raw.replace(old, b"UI" + len(new).to_bytes(2, "little") + new, 1))

    (series,) = read_ct_series([tmp_path / "ct"])
    build_and_write(make_analysis(), series, tmp_path / "out", created=CREATED)

    assert len(series.instances) == len(paths)
    assert UID(series.study_instance_uid).is_valid
    assert Reason.UID_DERIVED in series.notes
    assert check_files((tmp_path / "out").glob("*.dcm")) == ()


@pytest.mark.parametrize("name", ["Spine^Normal", "vfnode", "Fracture", "Вертебра\x98"])
def test_nobodys_name_stops_a_result(name, tmp_path):
    """A name may be a word of the report's own, or hold bytes of no character set."""
    make_ct_folder(tmp_path / "ct", patient_name=name, patient_id=name)
    (series,) = read_ct_series([tmp_path / "ct"])

    build_and_write(make_analysis(), series, tmp_path / "out", created=CREATED)

    assert check_files((tmp_path / "out").glob("*.dcm")) == ()


def test_a_byte_of_no_character_set_becomes_a_question_mark():
    """The replacement sign would stop the whole result."""
    assert clean_value("PatientName", "Ива\ufffdов") == "Ива?ов"
