"""Boxes of real skeletons for the level labeller: label maps, painted with drawn densities.

Real ribs run otherwise than drawn ones. A label map of TotalSegmentator's layout (NIfTI, and a
JSON of label names beside it) holds the shape of every bone and no image of the patient; the
densities are drawn anew for every box.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects, gaussian_filter

from vfnode.errors import TrainingError
from vfnode.networks.level_labeller import CLASSES
from vfnode.spine.volume import CTVolume, FloatArray
from vfnode.training.levels.boxes import LevelBox, box_along

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_BONES = (
    *("vertebrae_", "rib_", "sacrum", "hip_", "scapula_", "clavicula_"),
    *("humerus_", "femur_", "sternum", "skull"),
)
_VESSELS = ("aorta", "vein", "vena", "artery", "atrial", "heart", "trunk")
_CORE_SHARE = 0.6  #: of a vertebra's greatest depth: only its body is that thick
_FAT_HU, _SOFT_HU = -90.0, 45.0


def label_map_boxes(folder: Path, paintings: int, seed: int) -> tuple[LevelBox, ...]:
    """Every label map of a folder, painted several times.

    Raises:
        TrainingError: the folder holds no label map with vertebrae.
    """
    boxes = []
    for number, path in enumerate(sorted(folder.glob("totalsegmentator-*.nii.gz"))):
        labels, affine, names = _read(path)
        centres, classes = _centres(labels, names, affine)
        for turn in range(paintings):
            rng = np.random.default_rng([seed, 31, number, turn])
            volume = CTVolume(_painted(labels, names, rng), affine).canonical()
            boxes.append(box_along(volume, centres, classes, rng))
    if not boxes:
        raise TrainingError(f"{folder} holds no totalsegmentator-*.nii.gz with its names")
    return tuple(boxes)


def _read(path: Path) -> tuple[np.ndarray, FloatArray, dict[int, str]]:
    """Labels, voxel to LPS mm, label -> name."""
    image = nibabel.load(path)
    named = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text("utf-8"))
    names = {int(label): str(name) for label, name in named.items()}
    return np.asarray(image.dataobj).astype(np.int16), _RAS_TO_LPS @ image.affine, names


def _centres(
    labels: np.ndarray, names: dict[int, str], affine: FloatArray
) -> tuple[FloatArray, list[int]]:
    """Body centres (n, 3) in LPS mm and their classes, cranial to caudal."""
    found = []
    regions = find_objects(labels)
    for label, name in names.items():
        level = name.removeprefix("vertebrae_")
        if level not in CLASSES or label > len(regions) or regions[label - 1] is None:
            continue
        region = regions[label - 1]
        depth = distance_transform_edt(np.pad(labels[region] == label, 1))[1:-1, 1:-1, 1:-1]
        core = np.argwhere(depth >= _CORE_SHARE * depth.max()).mean(0)
        voxel = core + [part.start for part in region]
        found.append((CLASSES.index(level), affine[:3, :3] @ voxel + affine[:3, 3]))
    found.sort(key=lambda body: body[0])
    return np.array([centre for _, centre in found]), [index for index, _ in found]


def _painted(labels: np.ndarray, names: dict[int, str], rng: np.random.Generator) -> np.ndarray:
    """HU of a label map: bones with a shell, organs, vessels with contrast or without."""
    hu = np.full(labels.shape, _FAT_HU, np.float32)
    contrast = rng.uniform(100, 350) if rng.random() < 0.5 else _SOFT_HU
    bone = _is(labels, names, _BONES)
    core, shell = float(rng.uniform(80, 350)), float(rng.uniform(350, 900))
    hu[labels > 0] = _SOFT_HU + rng.normal(0, 10)
    hu[_is(labels, names, ("lung", "trachea"))] = -850.0
    hu[_is(labels, names, _VESSELS)] = contrast
    hu[bone] = shell
    hu[binary_erosion(bone)] = core
    hu = gaussian_filter(hu, float(rng.uniform(0.3, 0.8)))
    return np.asarray(np.clip(hu, -1024, 3071).round(), np.int16)


def _is(labels: np.ndarray, names: dict[int, str], parts: Sequence[str]) -> np.ndarray:
    """True if the label's name begins with or holds one of the parts."""
    chosen = [label for label, name in names.items() if any(part in name for part in parts)]
    return np.isin(labels, chosen)
