"""When a series is complete."""

from dataclasses import dataclass

import pytest

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.receiving.completeness import ArrivingSeries, Completeness, QuietRule, Wait

KEY, SISTER = SeriesKey("p", "1.2", "1.2.3"), SeriesKey("p", "1.2", "1.2.4")
STRANGER = SeriesKey("s", "1.9", "1.9.1")


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
    return Completeness(QuietRule(10.0, open_wait_s=60.0, gap_wait_s=30.0), clock)


@pytest.fixture
def of_studies(clock):
    """Series wait for the others of their study."""
    return Completeness(QuietRule(10.0, study_wait_s=300.0), clock)


def taken_up(completeness):
    """The series that are handed out, and taken."""
    found = completeness.ready()
    for batch in found:
        for key in batch:
            completeness.taken(key)
    return found


def test_a_series_is_complete_when_it_was_quiet_and_its_sender_has_gone(completeness, clock):
    """Ten seconds after the last instance, not before."""
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9.9
    early = taken_up(completeness)
    clock.time_s += 0.1

    assert early == []
    assert taken_up(completeness) == [(KEY,)]
    assert taken_up(completeness) == []


def test_an_open_association_holds_its_series_back_for_a_while(completeness, clock):
    """A sender that pauses in mid-series is not cut off; one that never hangs up starves none."""
    association = FakeAssociation()
    completeness.arrived(KEY, association)
    clock.time_s += 59
    held = taken_up(completeness)
    clock.time_s += 1

    assert held == []
    assert taken_up(completeness) == [(KEY,)]


def test_a_closed_association_ends_the_wait_for_it(completeness, clock):
    """What is quiet then is complete at once."""
    association = FakeAssociation()
    completeness.arrived(KEY, association)
    clock.time_s += 11
    association.open = False

    assert taken_up(completeness) == [(KEY,)]


def test_a_new_instance_restarts_the_quiet_time(completeness, clock):
    """Also one that comes by another association, or again after the first job."""
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 9

    assert taken_up(completeness) == []


def test_what_stood_in_the_inbox_at_the_start_is_looked_at_again(completeness, clock):
    """A restart forgets nothing."""
    completeness.found([KEY])
    clock.time_s += 10

    assert taken_up(completeness) == [(KEY,)]


def test_what_could_not_be_taken_up_is_handed_out_again(completeness, clock):
    """A locked database must not lose a series; in other hands it is not handed out twice."""
    completeness.found([KEY])
    clock.time_s += 10
    first, meanwhile = completeness.ready(), completeness.ready()
    completeness.put_back([KEY])

    assert (first, meanwhile) == ([(KEY,)], [])
    assert taken_up(completeness) == [(KEY,)]


def test_an_instance_that_comes_while_the_job_starts_is_not_forgotten(completeness, clock):
    """It leads to another look after the next quiet time."""
    completeness.found([KEY])
    clock.time_s += 10
    completeness.ready()
    clock.time_s += 1
    completeness.arrived(KEY, FakeAssociation(open=False))
    completeness.taken(KEY)
    assert completeness.is_arriving(KEY)
    clock.time_s += 10

    assert taken_up(completeness) == [(KEY,)]


def test_a_series_with_a_gap_is_waited_for_longer_and_not_for_ever(completeness, clock):
    """The rest may be on its way; an image that comes begins the wait anew."""
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 10
    assert completeness.ready() == [(KEY,)]
    assert completeness.lacks_slices(KEY)
    clock.time_s += 19
    assert completeness.ready() == []
    clock.time_s += 1

    assert completeness.ready() == [(KEY,)]
    assert not completeness.lacks_slices(KEY)


def test_series_of_one_study_are_handed_out_together(of_studies, clock):
    """The choice among them is made once, when the last one is there."""
    of_studies.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 5
    of_studies.arrived(SISTER, FakeAssociation(open=False))
    of_studies.arrived(STRANGER, FakeAssociation(open=False))
    clock.time_s += 6
    early = taken_up(of_studies)
    clock.time_s += 4

    assert early == []
    assert [set(batch) for batch in taken_up(of_studies)] == [{KEY, SISTER}, {STRANGER}]


def test_a_study_that_goes_on_arriving_does_not_hold_its_series_for_ever(of_studies, clock):
    """A router that drips one image after the other into a study."""
    of_studies.arrived(KEY, FakeAssociation(open=False))
    for _ in range(100):
        clock.time_s += 3
        of_studies.arrived(SISTER, FakeAssociation())

    assert taken_up(of_studies) == [(KEY,)]


def test_two_patients_in_one_series_are_handed_out_together(completeness, clock):
    """Whose images they are is decided for both at once."""
    other = SeriesKey("q", KEY.study_instance_uid, KEY.series_instance_uid)
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 5
    completeness.arrived(other, FakeAssociation(open=False))
    clock.time_s += 6
    early = taken_up(completeness)
    clock.time_s += 4

    assert early == []
    assert [set(batch) for batch in taken_up(completeness)] == [{KEY, other}]


def test_why_each_series_waits_is_told(clock):
    """For people who ask where a result remains."""
    completeness = Completeness(QuietRule(10.0, 60.0, 30.0, study_wait_s=300.0), clock)
    lacking, handed = SeriesKey("p", "5", "5.1"), SeriesKey("p", "6", "6.1")
    completeness.arrived(lacking, FakeAssociation(open=False))
    completeness.arrived(handed, FakeAssociation(open=False))
    clock.time_s += 10
    completeness.ready()
    completeness.lacks_slices(lacking)
    completeness.arrived(STRANGER, FakeAssociation())
    completeness.arrived(KEY, FakeAssociation(open=False))
    clock.time_s += 10
    completeness.arrived(SISTER, FakeAssociation(open=False))

    told = {series.key: series for series in completeness.arriving()}

    assert told[KEY] == ArrivingSeries(KEY, 1, 10.0, Wait.STUDY)
    assert {key: series.waits_for for key, series in told.items()} == {
        KEY: Wait.STUDY,
        SISTER: Wait.IMAGES,
        STRANGER: Wait.SENDER,
        lacking: Wait.SLICES,
        handed: Wait.TURN,
    }
