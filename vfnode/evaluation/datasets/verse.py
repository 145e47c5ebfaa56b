"""The VerSe layout: NIfTI, vertebra masks, and centroids and fracture grades where there.

Sekuboyina et al., Med Image Anal 73 (2021). ``*_ct.nii.gz`` beside ``*_seg-vert_msk.nii.gz``,
``*_ctd.json`` (voxel coordinates in the orientation that its first entry names) and
``*_fracture.json`` (label -> Genant grade). Masks give places and names, not keypoints: the
figures that need heights stay empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import (
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from scipy.ndimage import distance_transform_edt, find_objects

from vfnode.dicom.reading.nifti import RAS_TO_LPS, read_nifti
from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import CTVolume, FloatArray

LEVELS = {
    **{n: f"C{n}" for n in range(1, 8)},
    **{n + 7: f"T{n}" for n in range(1, 13)},
    **{n + 19: f"L{n}" for n in range(1, 7)},
    28: "T13",
}
HALF_BODY_MM = 12.0  #: half the height of a vertebral body, and a little
CORE_SHARE = 0.6  #: of the mask's greatest depth: only the body is that thick


def cases(source: str, options: Options) -> Iterator[Case]:  # noqa: ARG001 - as every adapter
    """One case a CT below the folder that has masks or centroids.

    Raises:
        UnreadableInputError: no CT with masks or centroids below the folder.
    """
    scans = [path for path in sorted(Path(source).rglob("*_ct.nii.gz")) if _truth_files(path)]
    if not scans:
        raise UnreadableInputError(f"{source} holds no *_ct.nii.gz with *_msk.nii.gz or *_ctd.json")
    for path in scans:

        def load(path: Path = path) -> tuple[CTVolume, Reading]:
            return read_nifti(path), reading(path)

        name = path.name.removesuffix("_ct.nii.gz")
        yield Case(name, name.split("_")[0], load)


def reading(ct: Path) -> Reading:
    """Centres, names and grades of the vertebrae of one CT."""
    truth = _truth_files(ct)
    centroids = [path for path in truth if path.name.endswith("_ctd.json")]
    places = _from_centroids(read_json(centroids[0]), ct) if centroids else _from_masks(truth[0])
    grades = _grades(ct)
    bodies = [
        Body(place, level=LEVELS[label], grade=grades.get(label), complete=_whole(ct, place))
        for label, place in places.items()
        if label in LEVELS and LEVELS[label] not in ("C1", "C2")
    ]
    bodies.sort(key=lambda body: -body.centre_mm[2])
    if len(bodies) < 2:  # noqa: PLR2004 - no curve
        return Reading(tuple(bodies))
    return Reading(
        tuple(bodies), SpineCurve.from_points(np.array([b.centre_mm for b in bodies])).points_mm
    )


def _truth_files(ct: Path) -> list[Path]:
    stem = ct.name.removesuffix("_ct.nii.gz")
    return sorted([*ct.parent.glob(f"{stem}_*msk.nii.gz"), *ct.parent.glob(f"{stem}_*ctd.json")])


def _grades(ct: Path) -> dict[int, int]:
    stem = ct.name.removesuffix("_ct.nii.gz")
    files = sorted(ct.parent.glob(f"{stem}_*fracture.json"))
    return {int(label): int(grade) for label, grade in read_json(files[0]).items()} if files else {}


def _from_masks(path: Path) -> dict[int, FloatArray]:
    """Label -> centre of the thickest part of its mask: the body, not the arch; LPS mm."""
    image = nibabel.Nifti1Image.from_filename(path)
    labels = np.asarray(image.dataobj).astype(int)
    spacing = np.array(image.header.get_zooms()[:3], float)
    found = {}
    for label, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        depth = distance_transform_edt(np.pad(labels[box] == label, 1), sampling=spacing)
        core = np.argwhere(depth >= CORE_SHARE * depth.max()).mean(0) - 1
        voxel = core + [part.start for part in box]
        found[label] = _to_lps(voxel, np.asarray(image.affine, float))
    return found


def _from_centroids(entries: list[dict[str, Any]], ct: Path) -> dict[int, FloatArray]:
    """Label -> centroid, LPS mm."""
    image = nibabel.Nifti1Image.from_filename(ct)
    here = io_orientation(image.affine)
    there = axcodes2ornt(tuple(entries[0]["direction"]))
    turned = np.asarray(image.affine, float) @ inv_ornt_aff(
        ornt_transform(here, there), image.shape[:3]
    )
    return {
        int(entry["label"]): _to_lps(np.array([entry[axis] for axis in "XYZ"], float), turned)
        for entry in entries[1:]
    }


def _to_lps(voxel: FloatArray, affine: FloatArray) -> FloatArray:
    point: FloatArray = (RAS_TO_LPS @ affine @ np.append(voxel, 1.0))[:3]
    return point


def _whole(ct: Path, place_mm: FloatArray) -> bool:
    """True if a body with this centre fits between the upper and lower end of the CT."""
    image = nibabel.Nifti1Image.from_filename(ct)
    to_voxel = np.linalg.inv(RAS_TO_LPS @ np.asarray(image.affine, float))
    ends = place_mm + np.array([[0, 0, HALF_BODY_MM], [0, 0, -HALF_BODY_MM]])
    voxels = ends @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    return bool(np.all((voxels >= 0) & (voxels <= np.array(image.shape[:3]) - 1)))


VERSE = Adapter(
    "verse",
    "FOLDER",
    "VerSe layout: places and names from masks or centroids, grades where read by people;"
    " no heights. C1 and C2 are no targets.",
    cases,
)
