"""When a series is complete."""

from dataclasses import dataclass

import pytest

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.receiving.completeness import Completeness

KEY = SeriesKey("p", "1.2", "1.2.3")


@dataclass(eq=False)
class FakeAssociation:
    open: bool = True

    def is_alive(self):
        return self.open


@dataclass
class FakeClock:
    time_s: float = 100.0

    def __call__(self):
        return self.time_s


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def completeness(clock):
    return Completeness(quiet_s=10.0, now_s=clock)


def settled(completeness):
    found: list[SeriesKey] = []
    completeness.settle(found.append)
    return found


def test_a_series_is_complete_when_it_was_quiet_and_its_sender_has_gone(completeness, clock):
    """Ten seconds after the last instance, not before."""
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9.9
    early = settled(completeness)
    clock.time_s += 0.1

    assert early == []
    assert settled(completeness) == [KEY]
    assert settled(completeness) == []


def test_an_open_association_holds_its_series_back(completeness, clock):
    """A sender that pauses in mid-series is not cut off, however long it takes."""
    association = FakeAssociation()
    completeness.arrived(KEY, association)
    clock.time_s += 1000
    held = settled(completeness)
    association.open = False

    assert held == []
    assert settled(completeness) == [KEY]


def test_a_new_instance_restarts_the_quiet_time(completeness, clock):
    """Also one that comes by another association, or again after the first job."""
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9

    assert settled(completeness) == []


def test_what_stood_in_the_inbox_at_the_start_is_looked_at_again(completeness, clock):
    """A restart forgets nothing."""
    completeness.found([KEY])
    clock.time_s += 10

    assert settled(completeness) == [KEY]


def test_a_start_that_fails_is_tried_again(completeness, clock):
    """A locked database must not lose a series."""
    completeness.found([KEY])
    clock.time_s += 10

    def failing(_key):
        raise OSError("database is locked")

    with pytest.raises(OSError, match="locked"):
        completeness.settle(failing)

    assert settled(completeness) == [KEY]


def test_a_series_that_cannot_be_started_holds_up_no_other(completeness, clock):
    """The other one begins in the same sweep."""
    other = SeriesKey("p", "1.2", "1.2.4")
    completeness.found([KEY, other])
    clock.time_s += 10
    begun = []

    def start(key):
        if key == KEY:
            raise ValueError("poison")
        begun.append(key)

    with pytest.raises(ValueError, match="poison"):
        completeness.settle(start)

    assert begun == [other]


def test_an_instance_that_comes_while_the_job_starts_is_not_forgotten(completeness, clock):
    """It leads to another look after the next quiet time."""
    completeness.found([KEY])
    clock.time_s += 10

    def arriving(key):
        clock.time_s += 1
        completeness.arrived(key, FakeAssociation(open=False))

    completeness.settle(arriving)
    assert completeness.is_arriving(KEY)
    clock.time_s += 10

    assert settled(completeness) == [KEY]
