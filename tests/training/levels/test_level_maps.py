"""Real skeletons from label maps: bodies found in the labels, densities drawn anew."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from vfnode.errors import TrainingError
from vfnode.networks.level_labeller import CLASSES
from vfnode.training.levels.label_maps import label_map_boxes

LEVELS = ("T9", "T10", "T11", "T12", "L1", "L2")
STEP_MM, PITCH_MM = 2.0, 30.0


def write_map(folder: Path) -> None:
    """Six blocks of 26 mm with a thin process behind each, in TotalSegmentator's layout (RAS)."""
    labels = np.zeros((60, 60, 110), np.uint8)
    for index in range(len(LEVELS)):
        top = 105 - round(index * PITCH_MM / STEP_MM)
        labels[22:38, 30:44, top - 13 : top] = index + 1
        labels[29:31, 10:30, top - 7 : top - 4] = index + 1
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    nibabel.save(nibabel.Nifti1Image(labels, affine), folder / "totalsegmentator-x.nii.gz")
    names = {str(index + 1): f"vertebrae_{level}" for index, level in enumerate(LEVELS)}
    (folder / "totalsegmentator-x.json").write_text(json.dumps({**names, "9": "lung_left"}))


def test_levels_stand_where_the_bodies_are(tmp_path):
    """The process behind a body does not move its centre; names follow the labels."""
    write_map(tmp_path)

    (box,) = label_map_boxes(tmp_path, paintings=1, seed=4)

    seen = box.position[box.seen]
    assert seen.min() == pytest.approx(CLASSES.index("T9"), abs=1)
    assert seen.max() == pytest.approx(CLASSES.index("L2"), abs=1)
    at = np.interp([CLASSES.index("T10"), CLASSES.index("T12")], box.position, range(len(box.hu)))
    assert np.diff(at)[0] * 4.0 == pytest.approx(2 * PITCH_MM, abs=6)
    middle = box.hu[int(at[0]), 12:20, 20:28]
    assert middle.mean() > 60  # bone at the body's centre


def test_each_painting_has_densities_of_its_own(tmp_path):
    """The same skeleton, another patient's bone."""
    write_map(tmp_path)

    first, second = label_map_boxes(tmp_path, paintings=2, seed=4)

    assert first.hu.max() != second.hu.max()


def test_a_folder_without_label_maps_is_refused(tmp_path):
    """No training silently goes on without what it was asked to learn from."""
    with pytest.raises(TrainingError, match="holds no"):
        label_map_boxes(tmp_path, paintings=1, seed=4)
