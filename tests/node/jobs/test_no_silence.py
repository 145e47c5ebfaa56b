"""No series ends without an answer: whatever fails, a coded, checked report says so."""

import json

import pytest
from pydicom import dcmread

from tests.factories import make_analysis, make_ct_folder, make_volume
from tests.node.factories import node_settings, received
from vfnode.dicom.checks.rules import check_files
from vfnode.dicom.results import outputs
from vfnode.dicom.results.settings import ResultSettings
from vfnode.durable_files import write_json
from vfnode.errors import ComputeError, ResultError, VfnodeError
from vfnode.node.compute.child import Computer
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.job import job_id_of
from vfnode.node.jobs.job_folder import inbox_folder, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import Parts
from vfnode.node.receiving.inbox import Inbox


class Pipeline:
    """Finds the same in anything, or fails."""

    def __init__(self, trouble=None):
        self.trouble = trouble

    def analyze(self, volume):  # noqa: ARG002
        if self.trouble:
            raise self.trouble
        return make_analysis()


class ComputeHere:
    """The real reader, builders and checks in this process; errors arrive as from the child."""

    trouble = ""

    def __init__(self, trouble=None):
        self._computer = Computer(lambda: Pipeline(trouble), ResultSettings())

    def look(self):
        """It is always there."""

    def ask(self, request):
        try:
            return self._computer.answer(request)
        except VfnodeError:
            raise
        except Exception as error:  # as the child's loop does
            raise ComputeError(type(error).__name__) from error

    def stop(self):
        """Nothing runs."""


class Node:
    """The steps of a node without destinations, and one job in its inbox."""

    def __init__(self, folder, paths, trouble=None):
        settings = node_settings(folder, 11112)
        settings.node.spool.mkdir()
        inbox = Inbox(inbox_folder(settings), 0)
        for path in paths:
            self.key, _ = inbox.put(received(dcmread(path)))
        self.images = inbox.instances(self.key)
        self.job_id = job_id_of(self.key, [path.name for path in self.images])
        self.folder = job_folder(settings, self.job_id)
        write_json(self.folder.instances, [str(path) for path in self.images])
        self.ledger = Ledger.open(settings.database_url)
        self.ledger.register(self.job_id, self.key, len(paths))
        commitments = Commitments(CommitmentBook(self.ledger.engine), {}, self.ledger.reopen)
        self.parts = Parts(settings, inbox, self.ledger, ComputeHere(trouble), {}, commitments)

    def run(self):
        """The job after all of its steps."""
        steps = Steps(self.parts)
        if steps.assemble(self.job_id) and steps.compute(self.job_id):
            steps.build(self.job_id)
        (job,) = self.ledger.jobs()
        return job

    def told(self):
        """Code of the reason in the results, all of which are sound."""
        objects = sorted(self.folder.results.glob("*.dcm"))
        assert {path.name for path in objects} >= {"report.sr.dcm", "sagittal.sc.dcm"}
        assert check_files(objects) == ()
        result = json.loads((self.folder.results / "result.json").read_text())
        return result["reason"]["code"] if result["reason"] else None


@pytest.fixture
def node(tmp_path):
    made = []

    def make(volume=None, trouble=None, **facts):
        paths = make_ct_folder(tmp_path / "ct", volume or make_volume(), **facts)
        made.append(Node(tmp_path, paths, trouble))
        return made[-1]

    yield make
    for each in made:
        each.ledger.close()


@pytest.mark.parametrize(
    "trouble",
    [
        RuntimeError("CUDA"),
        ValueError("nan"),
        RecursionError(),
        VfnodeError("heights"),
        KeyError(3),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_computation_that_fails_is_told_and_a_person_is_asked(trouble, node):
    """Whatever the library raises; the job is FAILED and can be tried again."""
    made = node(trouble=trouble)

    job = made.run()

    assert (job.state, job.reason_code) == (JobState.FAILED, "compute-failed")
    assert made.told() == "compute-failed"


def test_images_that_cannot_be_read_are_told(node):
    """Every file is cut behind its header: coded, final, and nobody has to be asked."""
    made = node()
    for path in made.images:
        path.write_bytes(path.read_bytes()[:2000])

    job = made.run()

    assert job.state is JobState.REJECTED
    assert made.told() == job.reason_code != ""


def test_three_slices_are_told(node):
    """Understood, and unsuitable."""
    made = node(make_volume((3, 16, 16)))

    job = made.run()

    assert (job.state, made.told()) == (JobState.REJECTED, "too-few-slices")


@pytest.mark.parametrize(
    ("where", "trouble"),
    [
        ("result_pictures", TypeError("a header of a kind nobody foresaw")),
        ("require_sound", ResultError("a result fails its own check: heights")),
    ],
)
def test_results_that_cannot_be_built_or_fail_their_check_are_answered(
    where, trouble, node, monkeypatch
):
    """The good one fails; a report that says so is built and checked in its place."""
    made = node()
    real = getattr(outputs, where)

    def failing(*arguments):
        if not json.loads((made.folder.analysis / "report.json").read_text())["reason"]:
            raise trouble
        return real(*arguments)

    monkeypatch.setattr(outputs, where, failing)

    job = made.run()

    assert (job.state, job.reason_code) == (JobState.FAILED, "compute-failed")
    assert made.told() == "compute-failed"


def test_where_not_even_an_answer_can_be_made_the_job_fails_aloud(node):
    """Not one header is left: FAILED, with the reason, for a person."""
    made = node()
    for path in made.images:
        path.write_bytes(b"no DICOM")

    job = made.run()

    assert job.state is JobState.FAILED
    assert "no answer can be made" in job.reason


def test_a_scanners_uids_of_its_own_form_get_their_results(node):
    """Leading zeros, as they were received."""
    made = node()
    uid = "1.2.826.0.1.3680043.09.1.007"
    item = dcmread(made.images[0])
    assert item.StudyInstanceUID != uid
    for path in made.images:
        item = dcmread(path)
        item.StudyInstanceUID = uid
        item.save_as(path)

    job = made.run()

    assert job.state is JobState.DELIVERED
    assert made.told() is None
    assert dcmread(made.folder.results / "report.sr.dcm").StudyInstanceUID == uid
