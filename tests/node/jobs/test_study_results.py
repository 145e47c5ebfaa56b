"""One valid result a study: corrections, better series, and series that cannot be measured."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.end_to_end.peers import wait_until
from tests.node.factories import fake_child, node_settings, write_ct
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import FINAL, JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer

D, R = JobState.DELIVERED, JobState.REJECTED


@pytest.fixture
def peer(tmp_path):
    made = StoragePeer(tmp_path / "pacs")
    yield made
    made.stop()


@contextmanager
def node(tmp_path, peer, refuse=""):
    """A whole node with a fake child that cannot measure the series named in ``refuse``."""
    child = fake_child(tmp_path / "control")
    (tmp_path / "control" / "refuse").write_text(refuse)
    pacs = DestinationSection(
        name="pacs", ae_title="PACS", port=peer.port, timeout_s=5, first_pause_s=0.2
    )
    settings = node_settings(tmp_path, free_port(), pacs)
    with running(settings, child):
        yield settings


def series(folder: Path, uid: str = "", slices: int = 8, **changes: object) -> list[Path]:
    """A CT; with a UID it is another series of the same study."""
    paths = write_ct(folder, slices)
    for path in paths:
        item = dcmread(path)
        item.SliceThickness = 3.0
        if uid:
            item.SeriesInstanceUID = uid
            item.SOPInstanceUID = f"{uid}.{item.InstanceNumber}"
            item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
        for keyword, value in changes.items():
            setattr(item, keyword, value)
        item.save_as(path)
    return paths


def send(settings, images):
    send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")


def jobs_when(settings, count):
    """The jobs, oldest first, when so many have ended."""
    wait_until(
        lambda: [job.state in FINAL for job in list_jobs(settings)] == [True] * count,
        f"{count} jobs have ended",
    )
    return list_jobs(settings)


def replaced_report(settings, job):
    """Path of the report that a job's report names."""
    result = json.loads((job_folder(settings, job.job_id).results / "result.json").read_text())
    return result["replaces"]


def story_of(settings, job):
    ledger = Ledger.open(settings.database_url)
    try:
        return [event.text for event in ledger.history.of(job.job_id)]
    finally:
        ledger.close()


def report_of(settings, job):
    return job_folder(settings, job.job_id).results / "report.sr.dcm"


@pytest.mark.parametrize(
    "change",
    [{"PatientID": "RIGHT1"}, {"PatientName": "Right^One"}, {"PatientBirthDate": "19500101"}],
)
def test_a_corrected_patient_gets_a_new_version_that_names_the_first(tmp_path, peer, change):
    """The same UIDs again after a result; both jobs are there, under their own identity."""
    with node(tmp_path, peer) as settings:
        send(settings, series(tmp_path / "a"))
        jobs_when(settings, 1)
        send(settings, series(tmp_path / "b", **change))
        first, second = jobs_when(settings, 2)

    assert (first.state, second.state, second.replaces) == (D, D, first.job_id)
    assert replaced_report(settings, second) == str(report_of(settings, first))
    assert f"report is replaced by that of job {second.job_id}" in story_of(settings, first)
    assert f"report replaces that of job {first.job_id}" in story_of(settings, second)
    assert len(set(peer.requests)) == 4
    keyword, value = next(iter(change.items()))
    assert dcmread(report_of(settings, second)).get(keyword) in (value, None)
    assert first.patient_digest != second.patient_digest


def test_other_pixels_under_the_same_uids_are_analysed_anew(tmp_path, peer):
    """Kept beside the first; the new report names the old one."""
    with node(tmp_path, peer) as settings:
        images = series(tmp_path / "a")
        send(settings, images)
        jobs_when(settings, 1)
        send(settings, series(tmp_path / "b", PixelData=bytes(2 * 32 * 32)))
        first, second = jobs_when(settings, 2)

    assert (first.state, second.state, second.replaces) == (D, D, first.job_id)
    assert len(set(peer.requests)) == 4


def test_the_same_images_with_another_header_start_nothing(tmp_path, peer):
    """A PACS changes attributes of what it sends back; that is no correction."""
    with node(tmp_path, peer) as settings:
        send(settings, series(tmp_path / "a"))
        (first,) = jobs_when(settings, 1)
        send(settings, series(tmp_path / "b", InstitutionName="Archive"))
        spool = settings.node.spool
        wait_until(lambda: len(list(spool.rglob("*.conflict"))) == 8, "the versions are dropped")

    assert [job.job_id for job in list_jobs(settings)] == [first.job_id]
    assert len(peer.requests) == 2


def test_a_better_series_that_comes_late_supersedes(tmp_path, peer):
    """One study, one valid result; a worse one that comes later still changes nothing."""
    with node(tmp_path, peer) as settings:
        send(settings, series(tmp_path / "thick", "1.2.826.1", SliceThickness=8.0))
        jobs_when(settings, 1)
        send(settings, series(tmp_path / "thin", "1.2.826.2"))
        jobs_when(settings, 2)
        send(settings, series(tmp_path / "sharp", "1.2.826.3", ConvolutionKernel="B70f"))
        thick, thin, sharp = jobs_when(settings, 3)

    assert (thick.state, thin.state, sharp.state) == (D, D, R)
    assert (thick.replaces, thin.replaces) == ("", thick.job_id)
    assert replaced_report(settings, thin) == str(report_of(settings, thick))
    assert sharp.reason_code == "other-series-preferred"


def test_where_the_preferred_series_cannot_be_measured_the_next_one_is(tmp_path, peer):
    """One answer reaches the PACS; the refused series says which one was tried."""
    with node(tmp_path, peer, refuse="1.2.826.2") as settings:
        send(settings, series(tmp_path / "thick", "1.2.826.1", SliceThickness=8.0)
             + series(tmp_path / "thin", "1.2.826.2"))  # fmt: skip
        wait_until(lambda: D in {job.state for job in list_jobs(settings)}, "a result")
        found = {job.series_instance_uid: job for job in list_jobs(settings)}

    thin, thick = found["1.2.826.2"], found["1.2.826.1"]
    assert (thin.state, thin.reason_code, thick.state) == (R, "slice-gap", D)
    assert "series 1.2.826.1 is tried" in thin.reason
    assert len(peer.requests) == 2


def test_where_none_can_be_measured_the_preferred_one_says_why(tmp_path, peer):
    """No silence, and not one refusal for each series."""
    with node(tmp_path, peer, refuse="1.2.826.1 1.2.826.2") as settings:
        send(settings, series(tmp_path / "thick", "1.2.826.1", SliceThickness=8.0)
             + series(tmp_path / "thin", "1.2.826.2"))  # fmt: skip
        wait_until(lambda: len(peer.requests) == 2, "an answer")
        found = {job.series_instance_uid: job for job in jobs_when(settings, 2)}

    assert {job.state for job in found.values()} == {R}
    assert len(found["1.2.826.2"].receipts) == 2
    assert found["1.2.826.1"].receipts == ()
    assert "series 1.2.826.2 says why" in found["1.2.826.1"].reason


def test_a_series_that_names_two_patients_is_refused_under_both(tmp_path, peer):
    """Nothing is measured; each part has a coded answer, and no name is told."""
    with node(tmp_path, peer) as settings:
        images = series(tmp_path / "ct", slices=16)
        for path in images[8:]:
            item = dcmread(path)
            item.PatientID, item.PatientName = "P-2", "Other^Person"
            item.save_as(path)
        send(settings, images)
        found = jobs_when(settings, 2)

    assert [(job.state, job.reason_code) for job in found] == [(R, "identity-conflict")] * 2
    assert [len(job.receipts) for job in found] == [2, 2]
    assert "compute" not in (tmp_path / "control" / "requests").read_text()
    assert not any("Other" in job.reason or "P-2" in job.reason for job in found)


def test_a_second_patient_that_comes_late_takes_the_first_result_back(tmp_path, peer):
    """Half a series was measured; the other half names somebody else: both are refused."""
    with node(tmp_path, peer) as settings:
        images = series(tmp_path / "ct", slices=16)
        for path in images[8:]:
            item = dcmread(path)
            item.PatientID = "P-2"
            item.save_as(path)
        send(settings, images[:8])
        (measured,) = jobs_when(settings, 1)
        send(settings, images[8:])
        wait_until(lambda: len(peer.requests) == 6, "both are told")
        first, second = jobs_when(settings, 2)

    assert measured.state is D
    assert (first.state, first.reason_code, first.run) == (R, "identity-conflict", 2)
    assert (second.state, second.reason_code) == (R, "identity-conflict")
    assert replaced_report(settings, first).endswith("replaced/report.sr.dcm")
