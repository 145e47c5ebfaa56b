"""Whose images: a volume is of one patient, and who that is never stands in a key or a log."""

import logging

import pytest
from pydicom import Dataset

from tests.dicom.tools import edit, refusal
from tests.factories import make_ct_folder
from vfnode.cli.analyze import _folder_names
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.series_key import patient_digest
from vfnode.spine.reason import Reason

CHANGES = {
    "PatientID": "P-2",
    "PatientName": "Other^Person",
    "PatientBirthDate": "19601231",
    "IssuerOfPatientID": "ELSEWHERE",
}


@pytest.mark.parametrize("keyword", CHANGES)
def test_a_series_that_changes_its_patient_half_way_is_refused(keyword, tmp_path, caplog):
    """Whose spine it is cannot be known; neither name nor identifier is told."""
    caplog.set_level(logging.INFO)
    for path in make_ct_folder(tmp_path)[30:]:
        edit(path, **{keyword: CHANGES[keyword]})

    refused = refusal(tmp_path)

    assert refused.code == "identity-conflict"
    assert refused.detail == "30 images of the series name another patient than 30 others"
    assert not any(word in caplog.text for word in ("P-1", "P-2", "Patient^", "Test", "Other"))


def test_a_stray_of_another_patient_is_left_out_and_told(tmp_path):
    """One wrong image in a series; its position is filled by nothing of somebody else."""
    paths = make_ct_folder(tmp_path)
    edit(paths[-1], PatientName="Other^Person", PatientID="P-2")

    (series,) = read_ct_series([tmp_path])

    assert len(series.instances) == 59
    assert paths[-1] not in {instance.path for instance in series.instances}
    assert Reason.IDENTITY_CONFLICT in series.notes


def test_two_patients_under_one_study_uid_are_two_series(tmp_path):
    """An anonymiser that gives everybody the same study UID, as 1.2.3."""
    for name in ("a", "b"):
        for path in make_ct_folder(tmp_path / name, seed=name):
            edit(path, StudyInstanceUID="1.2.3", PatientID=name)
    for path in (tmp_path / "b").iterdir():
        edit(path, SeriesInstanceUID="1.2.4")

    found = read_ct_series([tmp_path])

    assert [str(series.header.PatientID) for series in found] == ["a", "b"]
    assert [series.notes for series in found] == [(), ()]


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("Ivanov^Ivan", "IVANOV^IVAN^^", True),
        ("Ivanov^Ivan", "Ivanov^Ivan=Иванов^Иван", True),
        ("Ivanov^Ivan ", "Ivanov^Ivan", True),
        ("Ivanov^Ivan", "Ivanova^Ivan", False),
        ("", "Ivanov^Ivan", False),
    ],
)
def test_spelling_makes_no_other_patient(name, other, same):
    """Case, padding, empty components and further forms of a name are the same person's."""
    digests = []
    for text in (name, other):
        item = Dataset()
        item.SpecificCharacterSet = "ISO_IR 192"
        item.PatientName, item.PatientID = text, "1"
        digests.append(patient_digest(item))

    assert (digests[0] == digests[1]) is same


def test_results_of_several_series_have_folders_of_their_own(tmp_path):
    """Also where two patients share a series UID, or where it is no file name."""
    make_ct_folder(tmp_path)
    (series,) = read_ct_series([tmp_path])
    uid = series.series_instance_uid

    assert _folder_names([series]) == [""]
    assert _folder_names([series, series]) == [f"{uid}-1", f"{uid}-2"]
