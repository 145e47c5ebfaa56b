"""A finished job whose files were damaged has them again, or says why it cannot."""

import shutil
from itertools import cycle

import pytest
from pydicom import dcmread

from tests.factories import make_analysis, make_ct_folder
from tests.node.factories import harm, node_settings, received
from vfnode.dicom.results.settings import ResultSettings
from vfnode.durable_files import write_json
from vfnode.errors import ComputeError
from vfnode.node.compute.child import Computer
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.delivery.destinations import make_destinations
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.jobs.analysis_steps import Steps
from vfnode.node.jobs.delivery_steps import DeliverySteps
from vfnode.node.jobs.job import job_id_of
from vfnode.node.jobs.job_folder import inbox_folder, job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import Parts
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.settings.destination import DestinationSection

ANALYSIS = make_analysis()
RESULTS = (
    *("projection.sc.dcm", "report.sr.dcm", "result.json", "sagittal-plain.sc.dcm"),
    *("sagittal.png", "sagittal.sc.dcm", ".sealed.json"),
)
DAMAGES = ("emptied", "cut", "deleted")
ANALYSED = ("report.json", "sagittal.npz", ".sealed.json")


class Pipeline:
    """Finds the same in anything."""

    def analyze(self, volume):  # noqa: ARG002
        return ANALYSIS


class ComputeHere:
    """The real reader and the real builder, in this process."""

    def __init__(self):
        self.asked = []
        self.fails_at = ""
        self.trouble = ""
        self._computer = Computer(Pipeline, ResultSettings())

    def look(self):
        pass

    def ask(self, request):
        self.asked.append(request["command"])
        if request["command"] == self.fails_at:
            raise ComputeError("the compute child died")
        return self._computer.answer(request)

    def stop(self):
        """Nothing runs."""


@pytest.fixture(scope="module")
def spool(tmp_path_factory):
    """Settings, inbox and ledger of a node, its one job, and its folder with a copy of both."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "share").mkdir()
    share = DestinationSection(name="share", kind="folder", folder=folder / "share")
    settings = node_settings(folder, 11112, share)
    settings.node.spool.mkdir()
    inbox = Inbox(inbox_folder(settings), 0)
    for path in make_ct_folder(folder / "ct"):
        key, _ = inbox.put(received(dcmread(path)))
    job_id = job_id_of(key, [path.name for path in inbox.instances(key)])
    ledger = Ledger.open(settings.database_url)
    ledger.register(job_id, key, 1)
    parts = parts_of(settings, inbox, ledger)
    for step in (Steps(parts).assemble, Steps(parts).compute, Steps(parts).build):
        assert step(job_id)
    shutil.copytree(job_folder(settings, job_id).path, folder / "copy")
    shutil.copytree(inbox_folder(settings), folder / "images")
    yield settings, inbox, ledger, job_id, folder
    ledger.close()


def parts_of(settings, inbox, ledger):
    commitments = Commitments(CommitmentBook(ledger.engine), {}, ledger.reopen)
    destinations = make_destinations(settings)
    return Parts(settings, inbox, ledger, ComputeHere(), destinations, commitments)


class Job:
    """The finished job as it was before any damage."""

    def __init__(self, spool):
        settings, inbox, self.ledger, self.job_id, home = spool
        self.parts = parts_of(settings, inbox, self.ledger)
        self.folder = job_folder(settings, self.job_id)
        self.images = inbox_folder(settings)
        self.share = home / "share"
        shutil.rmtree(self.folder.path)
        shutil.copytree(home / "copy", self.folder.path)
        shutil.copytree(home / "images", self.images, dirs_exist_ok=True)
        self.before = self.uids()
        self.ledger.set_state(self.job_id, JobState.RUNNING)
        self.ledger.set_reason(self.job_id, "", "")

    def uids(self):
        objects = result_objects(self.folder.results)
        return {each.path.name: each.sop_instance_uid for each in objects}

    @property
    def asked(self):
        return self.parts.compute.asked

    @property
    def record(self):
        return self.ledger.jobs(self.job_id)[0]


@pytest.fixture
def job(spool):
    return Job(spool)


@pytest.mark.parametrize(("name", "damage"), zip(RESULTS, cycle(DAMAGES), strict=False))
def test_a_damaged_result_is_built_again(name, damage, job):
    """From the analysis, with the same UIDs: what a PACS has is not doubled."""
    harm(job.folder.results / name, damage)

    assert Steps(job.parts).build(job.job_id) == ["share"]

    assert job.asked == ["build"]
    assert job.folder.is_built
    assert job.uids() == job.before


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_job_with_a_damaged_result_does_not_count_as_built(name, damage, job):
    """Whichever file it is, and however it was damaged."""
    assert job.folder.is_built

    harm(job.folder.results / name, damage)

    assert not job.folder.is_built


@pytest.mark.parametrize(("name", "damage"), zip(ANALYSED, DAMAGES, strict=True))
def test_a_damaged_analysis_is_computed_again_when_results_need_it(name, damage, job):
    """From the images; the objects keep their UIDs."""
    harm(job.folder.analysis / name, damage)
    harm(job.folder.results / "report.sr.dcm", damage)

    assert Steps(job.parts).build(job.job_id) == ["share"]

    assert job.asked == ["compute", "build"]
    assert job.folder.is_analysed
    assert job.uids() == job.before


@pytest.mark.parametrize("name", ANALYSED)
def test_a_damaged_analysis_alone_is_left_alone(name, job):
    """The results are whole: nothing is missing, and nothing is made that differs from them."""
    harm(job.folder.analysis / name, "cut")

    assert Steps(job.parts).build(job.job_id) == ["share"]

    assert job.asked == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_list_of_images_is_written_again(damage, job):
    """The job is named after its images, so that the inbox shows whether they are the ones."""
    listed = job.folder.instances.read_text()
    harm(job.folder.instances, damage)
    harm(job.folder.results / "result.json", damage)

    assert Steps(job.parts).assemble(job.job_id)

    assert job.folder.instances.read_text() == listed


def test_other_images_are_not_taken_for_those_of_the_job(job):
    """With a list that is lost and an image that is gone nobody knows what was analysed."""
    harm(job.folder.instances, "cut")
    harm(job.folder.results / "result.json", "cut")
    next(job.images.rglob("*.dcm")).unlink()

    assert not Steps(job.parts).assemble(job.job_id)

    assert job.record.state is JobState.FAILED
    assert job.record.reason == "the list of its images is damaged"


def test_whole_results_need_no_images(job):
    """A delivery can be tried again after the images were removed."""
    shutil.rmtree(job.images)

    assert Steps(job.parts).assemble(job.job_id)
    assert Steps(job.parts).compute(job.job_id)
    assert Steps(job.parts).build(job.job_id) == ["share"]

    assert job.asked == []


def test_without_images_a_damaged_job_fails_in_words(job):
    """A person is told what is wrong and why it cannot be mended."""
    harm(job.folder.results / "report.sr.dcm", "emptied")
    shutil.rmtree(job.images)

    DeliverySteps(job.parts).send(job.job_id, "share", 1, 1)

    (delivery,) = job.record.deliveries
    assert delivery.state is JobState.FAILED
    assert delivery.reason == (
        "the results are damaged and cannot be made again: 60 images are no longer in the inbox"
    )


def test_an_analysis_that_cannot_be_computed_again_fails_in_words(job):
    """A report that says that there was none does not replace it: a PACS may have the true one."""
    harm(job.folder.results / "report.sr.dcm", "emptied")
    harm(job.folder.analysis / "report.json", "emptied")
    job.parts.compute.fails_at = "compute"

    assert Steps(job.parts).build(job.job_id) == []

    assert job.record.state is JobState.FAILED
    assert job.record.reason == "the compute child died"
    assert job.record.reason_code == ""


def test_a_result_that_was_damaged_while_it_waited_is_mended_before_it_is_sent(job):
    """A PACS may be down over a weekend, and the power as well."""
    harm(job.folder.results / "report.sr.dcm", "emptied")

    pause_s = DeliverySteps(job.parts).send(job.job_id, "share", 1, 1)

    assert pause_s is None
    assert job.record.deliveries[0].state is JobState.DELIVERED
    assert {dcmread(path).SOPInstanceUID for path in job.share.rglob("*.dcm")} == set(
        job.before.values()
    )


def test_a_later_job_mends_the_report_that_it_replaces(job):
    """Late slices: the new report names the old one, although that was damaged."""
    key = job.record.series_key
    images = job.parts.inbox.instances(key)[1:]
    later = job_id_of(key, [path.name for path in images])
    job.ledger.register(later, key, len(images))
    folder = job_folder(job.parts.settings, later)
    write_json(folder.instances, [str(path) for path in images])
    harm(job.folder.results / "report.sr.dcm", "cut")

    assert Steps(job.parts).compute(later)
    assert Steps(job.parts).build(later)

    report = dcmread(folder.results / "report.sr.dcm")
    (study,) = report.PredecessorDocumentsSequence
    replaced = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert replaced.ReferencedSOPInstanceUID == job.before["report.sr.dcm"]
