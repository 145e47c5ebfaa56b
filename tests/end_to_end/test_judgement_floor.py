"""What the shipped weights say of real CT: a floor that no later change may lower unseen.

The short form of `make evaluate`: a thin chest CT averaged to thick slices, a chest CT of 3 mm,
and one body of the thin CT lowered over its whole depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.reference_cases import ABSENT, SHARED
from vfnode.evaluation.cases import Case, Reading
from vfnode.evaluation.datasets.crushed import crushed
from vfnode.evaluation.datasets.images import read_images
from vfnode.evaluation.datasets.reference import ReadCT, read_entry
from vfnode.evaluation.judged import FRACTURES, Judged
from vfnode.evaluation.results import measure
from vfnode.evaluation.thick_slices import Averaging, averaged
from vfnode.evaluation.warp import UNIFORM, Deformation, warp_of
from vfnode.evaluation.warp_volume import warped
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import Pipeline, load_pipeline
from vfnode.spine.volume import CTVolume

DATA = SHARED / "data"
LOWERED = "T9"


@dataclass(frozen=True)
class Thin:
    """lidc-0314: 1 mm slices, twelve whole bodies, none deformed."""

    ct: ReadCT
    pipeline: Pipeline

    def judged(self, volume: CTVolume, reading: Reading) -> dict[str, Judged]:
        """What is said of each whole body, by level."""
        case = Case("floor", "lidc-0314", lambda: (volume, reading))
        return {one.truth.level: one for one in measure(case, self.pipeline).judged}

    def thick(self, count: int) -> dict[str, Judged]:
        """The same of slices of `count` mm."""
        return self.judged(averaged(self.ct.volume(), Averaging(count)), self.ct.reading)


@pytest.fixture(scope="module")
def thin() -> Thin:
    if not (DATA / "lidc-idri-0314").exists():
        pytest.skip(ABSENT)
    entry = {"reading": "reference/lidc-0314.json", "images": "lidc-idri-0314", "deformities": {}}
    return Thin(read_entry(DATA, entry), load_pipeline(models_dir(), "cpu"))


@pytest.fixture(scope="module")
def slices_of_3_mm(thin: Thin) -> dict[str, Judged]:
    return thin.thick(3)


def test_every_body_is_found_on_slices_of_3_mm(slices_of_3_mm):
    assert [level for level, one in slices_of_3_mm.items() if one.found is None] == []


def test_no_fracture_is_called_on_slices_of_3_mm(slices_of_3_mm):
    """The lowest true height ratio is 0.81: before, four to six bodies were called fractured."""
    assert [level for level, one in slices_of_3_mm.items() if one.call in FRACTURES] == []


def test_heights_keep_their_size_on_slices_of_3_mm(slices_of_3_mm):
    """Mean error of front, middle and back: a short front would be a wedge."""
    heights = [
        one.found.heights_mm - one.truth.heights_mm
        for one in slices_of_3_mm.values()
        if one.found is not None
    ]

    assert np.abs(np.mean(heights, 0)).max() <= 1.0


def test_no_fracture_is_called_on_slices_of_5_mm(thin):
    assert [level for level, one in thin.thick(5).items() if one.call in FRACTURES] == []


def test_no_fracture_is_called_in_a_normal_chest_of_3_mm(thin):
    """ibsi-pat2, T2 to T6, normal by reading; before, two bodies were called fractured."""
    found = thin.pipeline.analyze(read_images(DATA / "more-ct" / "ibsi-pat2")).report.vertebrae

    assert [one.level.value for one in found if one.is_fracture] == []


def test_a_body_low_over_its_whole_depth_is_a_fracture(thin):
    """T9 lowered to .55 of its height: no part of it is low beside another."""
    bodies = [body for body in thin.ct.reading.bodies if body.complete]
    index = [body.level for body in bodies].index(LOWERED)
    points = np.array([body.keypoints_mm for body in bodies])
    warp = warp_of(points, index, Deformation(UNIFORM, 0.55, closing=1.0))

    judged = thin.judged(warped(thin.ct.volume(), [warp]), crushed(thin.ct.reading, index, warp))

    assert judged[LOWERED].call in FRACTURES
