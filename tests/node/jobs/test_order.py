"""Which of the waiting series is analysed first, and that a bad one holds up nobody."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from tests.end_to_end.peers import wait_until
from tests.node.factories import FACTS, fake_child, node_settings, series_uid, write_ct
from vfnode.node.app import running
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.job_folder import job_folder
from vfnode.node.jobs.job_state import FINAL, JobState
from vfnode.node.settings.choice import ChoiceSection
from vfnode.node.testing.ports import free_port


@pytest.fixture
def control(tmp_path):
    folder = tmp_path / "control"
    folder.mkdir()
    return folder


@contextmanager
def node(tmp_path, **choice):
    plain = node_settings(tmp_path, free_port())
    settings = plain.model_copy(update={"choice": ChoiceSection(**choice)})
    with running(settings, fake_child(tmp_path / "control")):
        yield settings


def study(tmp_path, name, description=""):
    facts = replace(FACTS, seed=name, series_description=description)
    return write_ct(tmp_path / name, 4, facts)


def send(settings, images):
    send_files(images, "127.0.0.1", settings.node.port, "VFNODE", "TEST")


def has_jobs(settings, count):
    return len(list_jobs(settings)) == count


def all_ended(settings, count):
    found = list_jobs(settings)
    return len(found) == count and all(job.state in FINAL for job in found)


def analysed_at(settings, job):
    """When the results were built; several are then delivered at once."""
    return (job_folder(settings, job.job_id).results / "result.json").stat().st_mtime_ns


@pytest.mark.parametrize(
    ("choice", "order"),
    [
        ({}, ["first", "second", "third"]),
        ({"order": "newest"}, ["first", "third", "second"]),
        ({"urgent": ["SeriesDescription=third"]}, ["first", "third", "second"]),
    ],
)
def test_the_site_says_which_series_comes_first(choice, order, control, tmp_path):
    """The one in work is finished; of those that wait, the rule decides."""
    images = {name: study(tmp_path, name, name) for name in ("first", "second", "third")}
    (control / "hold-compute").touch()

    with node(tmp_path, **choice) as settings:
        for count, paths in enumerate(images.values(), start=1):
            send(settings, paths)
            wait_until(partial(has_jobs, settings, count), "a job more")
            wait_until(lambda: list_jobs(settings)[0].stage == "compute", "the first in work")
        (control / "hold-compute").unlink()
        wait_until(lambda: all_ended(settings, 3), "all three")
        analysed = sorted(list_jobs(settings), key=lambda job: analysed_at(settings, job))

    names = {series_uid(paths[0]): name for name, paths in images.items()}
    assert [names[job.series_instance_uid] for job in analysed] == order


def test_a_poison_series_fails_alone(control, tmp_path):
    """Those before and after it are delivered; it is tried once more and no longer."""
    images = {name: study(tmp_path, name) for name in ("before", "poison", "after")}
    poison = series_uid(images["poison"][0])
    (control / "poison").write_text(poison)

    with node(tmp_path) as settings:
        for paths in images.values():
            send(settings, paths)
        wait_until(lambda: all_ended(settings, 3), "all three")
        states = {job.series_instance_uid: job.state for job in list_jobs(settings)}

    assert states.pop(poison) is JobState.FAILED
    assert set(states.values()) == {JobState.DELIVERED}
    assert (control / "requests").read_text().split().count("compute") == 4
