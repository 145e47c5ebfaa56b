"""UIDs come from the input, and from nothing else."""

import dataclasses

import pytest

from tests.factories import CREATED, NORMAL, make_analysis, make_series
from vfnode.dicom.results.result_context import ResultContext
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.uids import derive_uid
from vfnode.spine.genant import GenantLimits


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A result about to become objects."""
    series = make_series(tmp_path_factory.mktemp("ct"))
    return ResultContext(make_analysis(), series, ResultSettings(), CREATED)


def test_the_borders_between_parts_count():
    """("1", "23") and ("12", "3") are different things."""
    assert derive_uid("1", "23") != derive_uid("12", "3")


def test_a_derived_uid_is_a_valid_one():
    """Below 2.25, at most 64 characters, no component with a leading zero."""
    uid = derive_uid("anything", "Иванов")

    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert not uid.split(".")[2].startswith("0")


def test_a_second_run_makes_the_same_uids(context):
    """Neither the clock nor the findings enter."""
    later = dataclasses.replace(
        context, created=CREATED.replace(year=2027), analysis=make_analysis([NORMAL])
    )

    assert later.uid("sr") == context.uid("sr")


def test_two_installations_never_give_one_uid_to_different_bytes(context):
    """The device stands in the report, so what two nodes make differs."""
    elsewhere = dataclasses.replace(context.settings, device_uid="2.25.7")

    assert dataclasses.replace(context, settings=elsewhere).uid("sr") != context.uid("sr")


def test_objects_and_series_have_uids_of_their_own(context):
    """Report, picture and their series never share one."""
    kinds = ("sr", "sc", "sr series", "sc series")

    assert len({context.uid(kind) for kind in kinds}) == 4


def test_what_changes_the_result_changes_the_uids(context):
    """Weights, limits, version, language, and slices that arrived late."""
    report = context.analysis.report
    retrained = dataclasses.replace(report.models[0], sha256="c" * 64)
    reports = [
        dataclasses.replace(report, models=(retrained, report.models[1])),
        dataclasses.replace(report, limits=GenantLimits(0.8, 0.75, 0.6)),
    ]
    changed = [
        *(
            dataclasses.replace(
                context, analysis=dataclasses.replace(context.analysis, report=other)
            )
            for other in reports
        ),
        dataclasses.replace(context, settings=ResultSettings(version="9.9")),
        dataclasses.replace(
            context,
            series=dataclasses.replace(context.series, instances=context.series.instances[:-1]),
        ),
    ]

    assert len({other.uid("sr") for other in [context, *changed]}) == 5


def test_a_vertebra_keeps_its_tracking_uid_when_the_result_changes(context):
    """A new version of the software still speaks of the same body."""
    newer = dataclasses.replace(context, settings=ResultSettings(version="9.9"))

    assert newer.tracking_uid("T7") == context.tracking_uid("T7")
    assert newer.tracking_uid("T7") != newer.tracking_uid("T8")
