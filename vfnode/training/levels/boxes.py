"""Straightened boxes of synthetic spines with the level at every row, in a cache folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vfnode.networks.level_labeller import CLASSES
from vfnode.spine.curve import SpineCurve
from vfnode.spine.spine_box import VOXEL_MM, arc_of, row_of, spine_box
from vfnode.spine.volume import CTVolume, FloatArray
from vfnode.training.site_arrays import keep
from vfnode.training.spine.volumes import draw_volume

FIRST_CLASS = CLASSES.index("C2")  #: of the drawn bodies, C2 to L5
_SACRUM = float(CLASSES.index("S1"))
_CURVE_NOISE_MM = 1.5
_BENDS_MM = 25.0  #: a localiser's errors keep their sign over about so much


@dataclass(frozen=True)
class LevelBox:
    """One spine and where its levels are."""

    hu: np.ndarray  #: (N, 32, 48) int16
    position: np.ndarray  #: (N,) class index at each row, fractional between two centres
    seen: np.ndarray  #: (N,) bool: the row's centre lies inside the volume


def draw_box(seed: int) -> LevelBox:
    """Draw a patient and straighten the part of the spine that the volume shows."""
    drawn = draw_volume(seed)
    classes = list(range(FIRST_CLASS, FIRST_CLASS + len(drawn.centres_mm)))
    rng = np.random.default_rng([seed, 17])
    return box_along(drawn.volume(), drawn.centres_mm, classes, rng)


def box_along(
    volume: CTVolume, centres_mm: FloatArray, classes: list[int], rng: np.random.Generator
) -> LevelBox:
    """Straighten a volume along its body centres, as wrongly as a localiser would.

    Args:
        volume: canonical.
        centres_mm: (n, 3) LPS, cranial to caudal; those beyond the volume count for the names.
        classes: index of each in ``CLASSES``, consecutive.
        rng: of the errors.
    """
    whole = SpineCurve.from_points(centres_mm)
    curve = _disturbed(_shown(volume, whole.points_mm), rng)
    hu = spine_box(volume, curve)
    rows = row_of(arc_of(curve, centres_mm))
    return LevelBox(
        np.clip(np.rint(hu), -1024, 3071).astype(np.int16),
        _positions(rows, classes, len(hu)),
        _inside(volume, curve, len(hu)),
    )


def _shown(volume: CTVolume, curve_mm: FloatArray) -> FloatArray:
    """The part of a curve that lies between the first and the last slice."""
    k = volume.to_voxel(curve_mm)[:, 0]
    shown = curve_mm[(k >= 0) & (k <= volume.hu.shape[0] - 1)]
    return np.asarray(shown)


def _disturbed(curve_mm: FloatArray, rng: np.random.Generator) -> SpineCurve:
    """A curve as the localiser finds it, and sometimes the middle of it only."""
    noise = gaussian_filter1d(rng.standard_normal((len(curve_mm), 2)), _BENDS_MM, axis=0)
    noise *= _CURVE_NOISE_MM * rng.uniform(0, 2) / max(float(noise.std()), 1e-6)
    moved = curve_mm + np.column_stack([noise, np.zeros(len(noise))])
    cut = rng.integers(0, len(moved) // 4, 2) if rng.random() < 0.3 else np.zeros(2, int)
    return SpineCurve.from_points(moved[cut[0] : len(moved) - cut[1] : 8])


def _positions(rows: FloatArray, classes: list[int], count: int) -> np.ndarray:
    """Class index at every row from the rows of the centres; straight on by a level beyond."""
    pitch = np.diff(rows)
    known = np.concatenate([[rows[0] - pitch[0]], rows, [rows[-1] + pitch[-1]]])
    wanted = [classes[0] - 1, *classes, classes[-1] + 1]
    return np.clip(np.interp(np.arange(count), known, wanted), 0, _SACRUM)


def _inside(volume: CTVolume, curve: SpineCurve, count: int) -> np.ndarray:
    """Rows of the box whose centre lies between the first and the last slice."""
    arc = np.arange(count) * VOXEL_MM - row_of(np.zeros(1))[0] * VOXEL_MM
    own = np.arange(len(curve.points_mm)) * curve.step_mm
    ends = curve.tangents()[[0, -1]]
    z = np.interp(arc, own, curve.points_mm[:, 2])
    z = z + np.minimum(arc - own[0], 0) * ends[0, 2] + np.maximum(arc - own[-1], 0) * ends[1, 2]
    top = float(volume.affine[2, 3])
    bottom = top - float(volume.spacing_mm[0]) * (volume.hu.shape[0] - 1)
    return np.asarray((z <= top) & (z >= bottom))


def cached_box(folder: Path, seed: int) -> LevelBox:
    """Read one box, drawing it first where the cache lacks it."""
    path = folder / f"{seed:06d}.npz"
    if path.exists():
        with np.load(path) as content:
            return LevelBox(content["hu"], content["position"], content["seen"])
    box = draw_box(seed)
    keep(path, {"hu": box.hu, "position": box.position, "seen": box.seen})
    return box
