"""The shipped weights on real CT, against readings made without any network."""

import numpy as np
import pytest

from tests.reference_cases import ABSENT, CASES, compare
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.nifti import read_nifti
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import load_pipeline


@pytest.fixture(scope="module")
def figures():
    """Figures of every case."""
    if not all(case.present for case in CASES):
        pytest.skip(ABSENT)
    pipeline = load_pipeline(models_dir(), "cpu")
    found = []
    for case in CASES:
        nifti = case.images.name.endswith(".nii.gz")
        volume = read_nifti(case.images) if nifti else read_ct_series([case.images])[0].volume
        found.append(compare(pipeline.analyze(volume).report.to_dict(), case.reading))
    return found


def mean(figures, name: str) -> np.ndarray:
    """Mean over all matched bodies."""
    return np.average([f[name] for f in figures], axis=0, weights=[f["found"] for f in figures])


def test_nine_of_ten_bodies_are_found(figures):
    """Recall over the complete bodies of all cases."""
    assert sum(f["found"] for f in figures) >= 0.9 * sum(f["wanted"] for f in figures)


def test_nine_of_ten_finds_are_bodies(figures):
    """Precision over all cases."""
    found = sum(f["found"] for f in figures)

    assert found >= 0.9 * (found + sum(len(f["extra"]) for f in figures))


def test_bodies_are_where_they_were_read(figures):
    """Mean distance of the centres, mm."""
    assert mean(figures, "centre_mm") <= 2.0


def test_heights_are_those_that_were_read(figures):
    """Mean absolute error of anterior, middle and posterior height, mm."""
    assert mean(figures, "height_mae_mm").max() <= 1.5


def test_the_curve_runs_through_the_bodies(figures):
    """In-plane distance where the reading covers the spine, mm.

    Beyond the last body the curve goes on in steps of 12 mm: a quarter of what is read in the
    smallest crop, two bodies.
    """
    assert all(f["curve_covered"] > 0.75 and f["curve_mm"] <= 3.0 for f in figures)
