"""Complete series are taken up study by study; what arrives, and why it waits, is told."""

import json
import time
from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from tests.end_to_end.peers import wait_until
from tests.node.factories import data_set, fake_child, node_settings, received, write_ct
from vfnode.dicom.reading import series_facts
from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.node.app import running
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.compute.client import ComputeClient
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.intake import Intake
from vfnode.node.jobs.job_folder import inbox_folder, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import Parts
from vfnode.node.receiving.completeness import Completeness, QuietRule, Wait
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.notice import read_notice
from vfnode.node.testing.ports import free_port


class Gone:
    """A sender that has hung up."""

    def is_alive(self):
        return False


class Taking:
    """An intake with a real inbox and ledger; what it begins is noted."""

    def __init__(self, folder):
        self.settings = node_settings(folder, 11112)
        self.settings.node.spool.mkdir()
        self.inbox = Inbox(inbox_folder(self.settings), 0)
        self.ledger = Ledger.open(self.settings.database_url)
        self.completeness = Completeness(QuietRule(0.0, study_wait_s=600.0), time.monotonic)
        self.begun = []
        commitments = Commitments(CommitmentBook(self.ledger.engine), {}, self.ledger.reopen)
        compute = ComputeClient(ChildProgram(["true"], {}, 1.0))
        parts = Parts(self.settings, self.inbox, self.ledger, compute, {}, commitments)
        self.intake = Intake(
            parts,
            self.completeness,
            FactsCache(),
            lambda job_id, _priority, _run: self.begin(job_id),
        )

    def begin(self, job_id):
        self.begun.append(self.ledger.jobs(job_id)[0].series_instance_uid)

    def arrive(self, items):
        for item in items:
            key, _ = self.inbox.put(received(item))
            self.completeness.arrived(key, Gone(), "CT1@192.0.2.7")

    def take_up(self):
        self.intake.sweep()
        self.intake.take_up()


@pytest.fixture
def taking(tmp_path):
    made = Taking(tmp_path)
    yield made
    made.ledger.close()


def study_of(count, study="1.2.3"):
    return [data_set(f"{study}.4.{n}", study, f"{study}.{n}") for n in range(count)]


def test_a_study_of_many_series_is_read_once_and_chosen_from_once(taking, monkeypatch):
    """Each header is read once, not once for each sibling; another patient goes first."""
    reads = []
    real = series_facts.read_facts

    def read(paths):
        reads.append(paths)
        return real(paths)

    monkeypatch.setattr(series_facts, "read_facts", read)
    taking.arrive(study_of(40))
    taking.arrive(study_of(1, "1.2.9"))

    taking.take_up()
    taking.take_up()

    assert len(reads) == 41
    assert taking.begun == ["1.2.9.0", "1.2.3.0"]
    assert len(taking.ledger.jobs()) == 41
    assert {job.sender for job in taking.ledger.jobs()} == {"CT1@192.0.2.7"}
    assert taking.completeness.arriving() == ()


def test_sweeping_reads_no_file(taking, monkeypatch):
    """The thread that looks at the clock waits for no disk."""
    taking.arrive(study_of(3))
    monkeypatch.setattr(taking.inbox, "instances", lambda _key: pytest.fail("read"))

    taking.intake.sweep()

    assert [series.waits_for.name for series in taking.completeness.arriving()] == ["TURN"] * 3


def test_a_study_that_cannot_be_taken_up_holds_up_no_other(taking):
    """The database fails for one: it is put back, and the other begins at the next turn."""
    taking.arrive(study_of(1, "1.2.3"))
    taking.arrive(study_of(2, "1.2.9"))
    failing = iter([OSError("database is locked")])
    real = taking.ledger.register

    def register(*arguments):
        for error in failing:
            raise error
        return real(*arguments)

    taking.ledger.register = register

    with pytest.raises(OSError, match="locked"):
        taking.take_up()
    taking.take_up()

    assert sorted(taking.begun) == ["1.2.3.0", "1.2.9.0"]


def test_of_two_patients_under_the_same_images_the_later_one_counts(taking, tmp_path):
    """Corrected and sent again before there was a result: the first is not analysed at all."""
    for name in ("WRONG1", "RIGHT1"):
        for path in write_ct(tmp_path / name, 8):
            item = dcmread(path)
            item.PatientID = name
            taking.arrive([item])
        time.sleep(0.05)

    taking.take_up()

    first, second = sorted(taking.ledger.jobs(), key=lambda job: job.state is JobState.WAITING)
    assert (first.state, first.reason_code) == (JobState.REJECTED, "identity-conflict")
    assert second.state is JobState.WAITING
    assert len(taking.begun) == 1
    (path, *_) = json.loads(job_folder(taking.settings, second.job_id).instances.read_text())
    assert dcmread(path).PatientID == "RIGHT1"


@contextmanager
def router(port):
    """An association that is never released."""
    entity = AE("ROUTER")
    entity.add_requested_context(CTImageStorage, [ExplicitVRLittleEndian])
    association = entity.associate("127.0.0.1", port, ae_title="VFNODE")
    yield association
    association.release()


def test_a_router_that_never_hangs_up_starves_no_series(tmp_path):
    """Its first study has a result while it goes on sending; until then the wait is told."""
    plain = node_settings(tmp_path, free_port())
    receiving = plain.receiving.model_copy(update={"open_wait_s": 3.0})
    settings = plain.model_copy(update={"receiving": receiving})

    paths = write_ct(tmp_path / "ct")
    other = dcmread(paths[0])
    other.StudyInstanceUID, other.SeriesInstanceUID = "1.9", "1.9.1"

    with running(settings, fake_child(tmp_path / "control")), router(settings.node.port) as opened:
        for path in paths:
            opened.send_c_store(dcmread(path))
        wait_until(lambda: waits(settings) == [Wait.SENDER.value], "the wait is told")
        notice = read_notice(settings)

        def has_result():
            other.SOPInstanceUID = f"1.9.{time.monotonic_ns()}"
            opened.send_c_store(other)
            return [job.state for job in list_jobs(settings)] == [JobState.DELIVERED]

        wait_until(has_result, "a result")
        assert opened.is_established

    assert notice
    assert [(told.images, told.sender) for told in notice.arriving] == [(4, "ROUTER@127.0.0.1")]


def waits(settings):
    notice = read_notice(settings)
    return [series.waits_for for series in notice.arriving] if notice else []
