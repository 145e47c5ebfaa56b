"""The report survives the way through a file and counts only what may count."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.factories import CUT, make_analysis
from vfnode.spine.curve import SpineCurve
from vfnode.spine.expected_heights import Expectation
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import Deformity, GenantGrade, Measure
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport, ModelUsed
from vfnode.spine.vertebra import VertebralLevel


def finding(anterior_mm: float, z_mm: float, withheld: Reason | None = None) -> VertebraFinding:
    """A body 25 mm tall in the middle and behind, 30 mm deep."""
    points = np.zeros((3, 2, 3))
    points[:, :, 1] = np.array([0.0, 15.0, 30.0])[:, None]
    points[:, 1, 2] = z_mm - np.array([anterior_mm, 25.0, 25.0])
    points[:, 0, 2] = z_mm
    return VertebraFinding(
        VertebralLevel["UNKNOWN"], 0.0, 0.9, points, points[..., 1:], np.full(3, 0.5), withheld
    )


def report(*findings: VertebraFinding) -> FractureReport:
    spine = SpineCurve.from_points(np.array([[0.0, 0, 0], [0, 2, -40], [0, 0, -80]]))
    models = (ModelUsed("spine", "ab" * 32, "spine"),)
    return FractureReport(models, spine, findings, quality=(Reason.LEVEL_UNKNOWN,))


def test_a_body_that_is_not_graded_has_no_grade_anywhere():
    """Null in result.json, whatever its heights say."""
    data = finding(10, 0, withheld=Reason.CUT_VERTEBRA).to_dict()

    nothing = ("grade", "deformity", "measure", "probability_moderate", "borderline", "endplate")
    assert [data[key] for key in nothing] == [None] * len(nothing)


def expected(anterior_mm: float, others_mm: float) -> Expectation:
    return Expectation(np.array([anterior_mm, others_mm, others_mm]), np.full(3, 0.04), 1.0)


def test_the_grade_follows_the_greater_loss_and_says_which():
    """A body that is low all over has lost nothing against itself."""
    crushed = replace(finding(24, 0), expectation=expected(48, 50))

    assert crushed.loss_own < 0.05
    assert crushed.loss_expected == pytest.approx(0.5)
    assert (crushed.grade, crushed.measure) == (GenantGrade.SEVERE, Measure.EXPECTED)
    assert crushed.deformity is Deformity.CRUSH


def test_without_expectations_the_body_is_its_own_measure():
    """Too few bodies in the images."""
    assert finding(18, 0).measure is Measure.ITSELF
    assert finding(18, 0).loss_expected is None


def test_moderate_is_said_only_where_it_is_more_probable_than_not():
    """What the image does not show is no fracture."""
    assert replace(finding(18, 0), probability_moderate=0.4).grade is GenantGrade.MILD
    assert replace(finding(18, 0), probability_moderate=0.6).grade is GenantGrade.MODERATE


def test_a_report_comes_back_from_json_unchanged():
    """What is written to disk between two steps is what the next step reads."""
    judged = replace(
        finding(18, 0), expectation=expected(24, 25), probability_moderate=0.9, is_borderline=True
    )
    data = json.loads(json.dumps(report(judged, finding(24, -40)).to_dict()))

    assert FractureReport.from_dict(data).to_dict() == data


def test_the_patient_takes_the_worst_grade():
    """One moderate fracture among normal bodies makes a moderate patient."""
    assert report(finding(24, 0), finding(18, -40)).grade is GenantGrade.MODERATE


def test_a_body_cut_by_the_border_does_not_count():
    """A cut body looks low because part of it is missing."""
    result = report(finding(24, 0), finding(10, -40, withheld=Reason.CUT_VERTEBRA))

    assert result.grade is GenantGrade.NORMAL
    assert result.to_dict()["patient"]["vertebrae_evaluated"] == 1


def test_without_an_evaluated_body_there_is_no_grade():
    """Nothing measured is not 'normal'."""
    result = report(finding(24, 0, withheld=Reason.CUT_VERTEBRA))

    assert result.grade is None
    assert result.to_dict()["patient"]["min_height_ratio"] is None


def test_a_series_that_cannot_be_evaluated_says_why():
    """The reason is coded."""
    data = FractureReport((), None, (), reason=Reason.NO_SPINE).to_dict()

    assert data["status"] == "not_evaluable"
    assert data["reason"]["code"] == "no-spine"
    assert FractureReport.from_dict(data).reason is Reason.NO_SPINE


def test_every_reason_is_found_by_its_code():
    """Codes are unique."""
    assert [Reason.from_code(reason.code) for reason in Reason] == list(Reason)


def test_a_finding_derives_its_numbers_from_its_points():
    """Heights are lengths in the patient, so they can be checked with a ruler."""
    assert finding(20, 0).heights_mm == pytest.approx([20, 25, 25])
    assert finding(20, 0).grade is GenantGrade.MILD


def test_nothing_is_told_of_points_beyond_the_images():
    """No height, no ratio; what was seen stays, and a file gives the same back."""
    seen = np.ones((3, 2), bool)
    seen[0, 0] = False
    whole = make_analysis((CUT,)).report
    report = replace(whole, vertebrae=(replace(whole.vertebrae[0], seen=seen),))

    told = report.to_dict()["vertebrae"][0]

    assert told["heights_mm"] == {"anterior": None, "middle": 20.0, "posterior": 20.0}
    assert told["height_ratio"] is told["loss_own"] is None
    assert told["seen"]["anterior"] == {"superior": False, "inferior": True}
    assert FractureReport.from_dict(report.to_dict()).to_dict() == report.to_dict()
