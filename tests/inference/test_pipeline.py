"""The pipeline from a CT to a report, with the shipped weights on a synthetic CT."""

from dataclasses import replace

import numpy as np
import pytest

from tests.spine.factories import bodies_along, kyphotic_curve
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import STAGES, load_pipeline
from vfnode.spine.curve_through import curve_through
from vfnode.spine.genant import GenantGrade
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume
from vfnode.training.synthetic.chest_ct import synthesize_chest_ct

FRACTURES = {"T8": ("wedge", 0.60), "T12": ("biconcave", 0.62)}


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(models_dir(), "cpu")


@pytest.fixture(scope="module")
def chest():
    return synthesize_chest_ct(
        11, spacing_mm=(1.5, 1.0, 1.0), levels=("T4", "L1"), deformities=FRACTURES
    )


@pytest.fixture(scope="module")
def analysis(pipeline, chest):
    return pipeline.analyze(chest.volume)


def distances(analysis, chest) -> np.ndarray:
    """Between each true centre and each found one; (true, found) mm."""
    found = np.array([f.centre_patient_mm for f in analysis.report.vertebrae])
    true = np.array([v.keypoints_patient_mm.mean((0, 1)) for v in chest.truth])
    apart: np.ndarray = np.linalg.norm(true[:, None] - found[None], axis=-1)
    return apart


def test_every_body_that_the_ct_holds_whole_is_found(analysis, chest):
    """Within 5 mm of its true centre."""
    whole = [v.level for v in chest.truth]

    assert whole
    assert distances(analysis, chest).min(1) == pytest.approx(np.zeros(len(whole)), abs=5.0)


@pytest.mark.parametrize("level", sorted(FRACTURES))
def test_a_severe_deformity_is_at_least_moderate(analysis, chest, level):
    """The known fractures do not pass as normal."""
    index = [v.level for v in chest.truth].index(level)
    found = analysis.report.vertebrae[int(distances(analysis, chest)[index].argmin())]

    assert found.grade.rank >= GenantGrade.MODERATE.rank


def test_the_picture_shows_each_body_in_its_true_size(analysis):
    """Points on the picture are as far apart as in the patient."""
    for finding in analysis.report.vertebrae:
        on_picture = heights_mm(finding.keypoints_sagittal_mm)
        assert on_picture == pytest.approx(finding.heights_mm, abs=0.01)


def test_the_same_ct_gives_the_same_report(pipeline, chest, analysis):
    """A workflow step that runs twice must not change its mind."""
    again = pipeline.analyze(chest.volume).report.to_dict()
    first = analysis.report.to_dict()

    assert {**again, "timing_s": None} == {**first, "timing_s": None}


def test_how_the_ct_is_stored_does_not_matter(pipeline, chest, analysis):
    """Feet first or head first: the anatomy decides."""
    affine = chest.volume.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (len(chest.volume.hu) - 1)
    affine[:3, 0] *= -1
    flipped = CTVolume(chest.volume.hu[::-1], affine)

    report = pipeline.analyze(flipped).report

    ratios = [finding.height_ratio for finding in report.vertebrae]
    assert ratios == pytest.approx([f.height_ratio for f in analysis.report.vertebrae], abs=1e-3)


def test_every_stage_is_announced_and_timed(pipeline, chest):
    """The progress bar and result.json know the same stages."""
    announced: list[str] = []

    report = pipeline.analyze(chest.volume, announced.append).report

    assert set(announced) == set(STAGES) == set(report.timing_s)


def test_a_ct_without_a_spine_is_not_evaluable(pipeline):
    """Air is answered with a coded reason, not with an empty result."""
    air = CTVolume(np.full((60, 100, 100), -1000, np.int16), np.diag([4.0, 2.0, 2.0, 1.0]))

    report = pipeline.analyze(air).report

    assert report.reason is Reason.NO_SPINE
    assert report.grade is None


def with_metal(chest, points_mm: np.ndarray) -> CTVolume:
    """The CT with rods of 8 mm through points (n, 3), LPS mm, at 3000 HU."""
    hu = chest.volume.hu.copy()
    radius_mm = 4.0
    reach = np.ceil(radius_mm / chest.volume.spacing_mm).astype(int)
    ball = np.indices(2 * reach + 1).reshape(3, -1).T - reach
    ball = ball[np.linalg.norm(ball * chest.volume.spacing_mm, axis=1) <= radius_mm]
    for voxel in np.rint(chest.volume.to_voxel(points_mm)).astype(int):
        at = voxel + ball
        at = at[np.all((at >= 0) & (at < hu.shape), axis=1)]
        hu[tuple(at.T)] = 3000
    return CTVolume(hu, chest.volume.affine)


def test_a_body_with_a_screw_is_measured_and_not_graded(pipeline, chest, analysis):
    """It says why, and so does the study; the others keep their grade."""
    graded = analysis.report.evaluated
    held = next(f for f in graded if f.grade is GenantGrade.NORMAL)
    across = np.linspace(-12.0, 12.0, 25)[:, None] * np.array([0.0, 1.0, 0.0])

    report = pipeline.analyze(with_metal(chest, held.centre_patient_mm + across)).report

    metal = [f for f in report.vertebrae if f.withheld is Reason.METAL]
    assert len(metal) == 1
    assert np.linalg.norm(metal[0].centre_patient_mm - held.centre_patient_mm) < 8.0
    assert Reason.METAL in report.quality
    assert len(report.evaluated) == len(analysis.report.evaluated) - 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_curve_goes_through_what_was_measured(count):
    """Few bodies or many, near the localiser's curve or off it."""
    curve = kyphotic_curve(150.0, 6.0)
    bodies = bodies_along(150.0)[2 : 2 + count] + np.array([0.0, 5.0, 0.0])

    pulled = curve_through(curve, bodies)

    centres = bodies.mean((1, 2))
    off = np.linalg.norm(pulled.points_mm[None] - centres[:, None], axis=-1).min(1)
    assert off == pytest.approx(np.zeros(count), abs=1.0)
    assert len(pulled.points_mm) == pytest.approx(len(curve.points_mm), abs=15)


def test_without_bodies_the_curve_stays():
    """Nothing measured, nothing changed."""
    curve = kyphotic_curve(150.0, 6.0)

    assert curve_through(curve, np.zeros((0, 3, 2, 3))) is curve


def test_weights_that_the_judge_was_not_calibrated_with_are_told(pipeline, analysis, chest):
    """Errors and probabilities of another second look: shown, with a note."""
    judge = replace(pipeline.judge, calibrated_with="another")

    other = replace(pipeline, judge=judge).analyze(chest.volume)

    assert Reason.UNCALIBRATED in other.report.quality
    assert Reason.UNCALIBRATED not in analysis.report.quality
