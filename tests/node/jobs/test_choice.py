"""Which series of a study is analysed, and the reason that is told."""

from contextlib import contextmanager

import pytest
from pydantic import ValidationError
from pydicom import dcmread

from tests.end_to_end.peers import wait_until
from tests.node.factories import fake_child, node_settings, series_uid, write_ct
from vfnode.dicom.reading.series_facts import read_facts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.series_choice import choose
from vfnode.node.settings.choice import ChoiceSection
from vfnode.node.testing.ports import free_port

FIRST, SECOND = SeriesKey("p", "1.2", "1.2.1"), SeriesKey("p", "1.2", "1.2.2")


@pytest.fixture
def facts_of(tmp_path):
    """Facts of a real series of eight slices whose headers are changed."""

    def make(name, every=1, **changes):
        paths = write_ct(tmp_path / name, 8)[::every]
        for path in paths:
            item = dcmread(path)
            item.SliceThickness = 3.0
            for keyword, value in changes.items():
                setattr(item, keyword, value)
            item.save_as(path)
        return read_facts(paths)

    return make


@pytest.mark.parametrize(
    ("worse", "criterion"),
    [
        ({"SliceThickness": 5.0}, "slices: 3.0 mm slices against 5.0 mm"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "orientation: axial against not axial"),
        ({"ConvolutionKernel": "B70f"}, "kernel: kernel not stated against kernel B70f"),
        ({"ConvolutionKernel": "LUNG"}, "kernel: "),
        ({"ContrastBolusAgent": "Omnipaque"}, "contrast: no contrast against contrast agent"),
    ],
)
def test_the_better_series_is_chosen_and_both_say_why(worse, criterion, facts_of):
    """The first thing in which they differ decides, whichever came first."""
    good, bad = facts_of("good", ConvolutionKernel=""), facts_of("bad", **worse)
    for better, other in ((FIRST, SECOND), (SECOND, FIRST)):
        study = {better: good, other: bad}

        verdicts = choose(study, ChoiceSection())
        chosen, passed_over = verdicts[better], verdicts[other]

        assert chosen.is_chosen
        assert not passed_over.is_chosen
        assert passed_over.code == "other-series-preferred"
        assert criterion in chosen.reason
        assert criterion in passed_over.reason


def test_of_equal_series_exactly_one_is_chosen(facts_of):
    """Two results of one study would contradict each other."""
    study = {FIRST: facts_of("a"), SECOND: facts_of("b")}

    assert [choose(study, ChoiceSection())[key].is_chosen for key in study] == [True, False]
    everything = ChoiceSection(series="all")
    assert [choose(study, everything)[key].is_chosen for key in study] == [True, True]


@pytest.mark.parametrize(
    ("changes", "rules", "code"),
    [
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, {}, "derived-object"),
        ({"SeriesDescription": "Phantom QA"}, {"exclude": ["SeriesDescription=phantom"]},
         "excluded-by-site"),
        ({"BodyPartExamined": "HEAD"}, {"include": ["BodyPartExamined=CHEST|ABDOMEN"]},
         "excluded-by-site"),
    ],
)  # fmt: skip
def test_what_is_unsuitable_is_passed_over_and_stands_in_nobodys_way(
    changes, rules, code, facts_of
):
    """Not even when it is the thinner one; its own reason is coded."""
    section = ChoiceSection(**rules)
    bad = facts_of("bad", **changes)
    good = facts_of("good", SliceThickness=5.0, BodyPartExamined="CHEST")

    verdicts = choose({FIRST: bad, SECOND: good}, section)

    assert verdicts[FIRST].code == code
    assert verdicts[SECOND].is_chosen


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]}, "ImageType=SOM5"),
        ({"ConvolutionKernel": ["Br40f", "3"]}, "ConvolutionKernel=^br4"),
        ({"SliceThickness": 5.0}, "SliceThickness=^5"),
        ({}, "Rows=^32$"),
        ({"SeriesDescription": "LUNG 1.0"}, "SeriesDescription=lung"),
        ({"StationName": "CT2"}, "StationName=CT2"),
    ],
)
def test_a_site_rule_sees_what_tells_series_apart(changes, rule, facts_of):
    """Any value of an attribute with several; upper or lower case."""
    facts = facts_of("series", **changes)

    assert choose({FIRST: facts}, ChoiceSection(exclude=(rule,)))[FIRST].code == "excluded-by-site"
    assert choose({FIRST: facts}, ChoiceSection(include=(rule,)))[FIRST].is_chosen


@pytest.mark.parametrize("rule", ["PatientName=x", "BodyPartExamined", "BodyPartExamined=("])
def test_a_rule_that_cannot_be_followed_is_a_wrong_setting(rule):
    """Also one about the patient's identity."""
    with pytest.raises(ValidationError):
        ChoiceSection(exclude=(rule,))


def test_a_missing_slice_is_a_gap_and_jitter_is_none(facts_of):
    """Every second slice is no gap either: the step is what it is."""
    assert not facts_of("whole").has_gap
    assert not facts_of("sparse", every=2).has_gap


@contextmanager
def node(tmp_path, **changes):
    plain = node_settings(tmp_path, free_port())
    settings = plain.model_copy(update={"receiving": plain.receiving.model_copy(update=changes)})
    (tmp_path / "control").mkdir(exist_ok=True)
    with running(settings, fake_child(tmp_path / "control")):
        yield settings


def send(settings, images):
    send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")


def test_a_study_of_two_series_gets_one_result(tmp_path):
    """The other one is REJECTED with its reason, which stands in the spool as well."""
    thin = write_ct(tmp_path / "thin", 8)
    thick = write_ct(tmp_path / "thick", 8)
    for path in thick:
        item = dcmread(path)
        item.SeriesInstanceUID = "1.2.826.9"
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = (
            f"1.2.826.{item.InstanceNumber}"
        )
        item.SliceThickness = 8.0
        item.save_as(path)

    with node(tmp_path) as settings:
        send(settings, [*thin, *thick])
        wait_until(
            lambda: (
                {job.state for job in list_jobs(settings)}
                == {JobState.DELIVERED, JobState.REJECTED}
            ),
            "both judged",
        )
        jobs = {job.state: job for job in list_jobs(settings)}

    assert jobs[JobState.DELIVERED].series_instance_uid == series_uid(thin[0])
    assert jobs[JobState.REJECTED].reason_code == "other-series-preferred"
    chosen = job_folder(settings, jobs[JobState.DELIVERED].job_id).choice.read_text()
    assert "3.0 mm slices against 8.0 mm slices" in chosen


def test_a_series_with_a_gap_waits_longer_and_is_analysed_when_it_is_whole(tmp_path):
    """The slice that comes late stands in the first and only job."""
    images = write_ct(tmp_path / "ct", 6)
    by_place = sorted(images, key=lambda path: dcmread(path).ImagePositionPatient[2])

    with node(tmp_path, gap_wait_s=60.0) as settings:
        send(settings, by_place[:2] + by_place[3:])
        with pytest.raises(AssertionError):
            wait_until(lambda: bool(list_jobs(settings)), "no job yet", 3.0)
        send(settings, by_place[2:3])
        wait_until(lambda: bool(list_jobs(settings)), "a job")

    assert [job.instances for job in list_jobs(settings)] == [6]


def test_a_gap_that_nobody_fills_is_analysed_as_what_is_there(tmp_path):
    """After its own waiting time; the late slice then starts a run that supersedes."""
    images = write_ct(tmp_path / "ct", 6)
    by_place = sorted(images, key=lambda path: dcmread(path).ImagePositionPatient[2])

    with node(tmp_path, gap_wait_s=1.5) as settings:
        send(settings, by_place[:2] + by_place[3:])
        wait_until(lambda: len(list_jobs(settings)) == 1, "the partial one")
        send(settings, by_place[2:3])
        wait_until(lambda: len(list_jobs(settings)) == 2, "the whole one")

    assert [job.instances for job in list_jobs(settings)] == [5, 6]
