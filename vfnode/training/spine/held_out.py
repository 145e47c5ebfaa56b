"""Figures of a spine localiser on synthetic CT that it was not trained on, and its card."""

from dataclasses import dataclass

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel
from vfnode.inference.localize_spine import localize_spine
from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import FloatArray
from vfnode.training.synthetic.chest_ct import SyntheticCT, acquire
from vfnode.training.synthetic.scene import sample_scene

_SEED = 900_000  # far from every training seed


@dataclass(frozen=True)
class CurveError:
    """One CT's localised curve against the true one."""

    distance_mm: float  #: mean in-plane distance at equal z
    covered: float  #: share of the visible column's length that was found
    beyond_mm: float  #: length found above or below the column (skull, sacrum)


def curve_error(found: SpineCurve, truth: SyntheticCT) -> CurveError:
    """Compare at equal z, over the part of the true curve that the volume shows."""
    wanted = truth.curve.points_mm[truth.volume.contains(truth.curve.points_mm)]
    z = np.arange(wanted[:, 2].min(), wanted[:, 2].max(), 1.0)
    low, high = found.points_mm[:, 2].min(), found.points_mm[:, 2].max()
    shared = z[(z >= low) & (z <= high)]
    distance = np.linalg.norm(_at(found.points_mm, shared) - _at(wanted, shared), axis=1)
    beyond = max(0.0, z[0] - low) + max(0.0, high - z[-1])
    return CurveError(float(distance.mean()), len(shared) / len(z), float(beyond))


def _at(points: FloatArray, z: FloatArray) -> FloatArray:
    order = np.argsort(points[:, 2])
    return np.stack([np.interp(z, points[order, 2], points[order, k]) for k in (0, 1)], 1)


def held_out_ct(number: int) -> SyntheticCT:
    """Held-out CT: chest, abdomen or neck, 1 to 4 mm slices, noise of 5 to 60 HU."""
    rng = np.random.default_rng([_SEED, number])
    scene = sample_scene(_SEED + number)
    top, bottom = ((5.0, 18.5), (14.5, 26.0), (-1.0, 11.0), (4.0, 19.5))[number % 4]
    heights = sorted(scene.spine.z_of(p + rng.normal(0, 1)) for p in (top, bottom))
    spacing = (float(rng.uniform(1, 4)), 1.0, 1.0)
    return acquire(scene, (heights[0], heights[1]), spacing, float(rng.uniform(5, 60)))


def evaluate_spine(model: LoadedModel, count: int) -> dict[str, float]:
    """Figures over `count` held-out CT, all synthetic."""
    errors, missed = [], 0
    for number in range(count):
        truth = held_out_ct(number)
        try:
            errors.append(curve_error(localize_spine(truth.volume, model), truth))
        except NotEvaluableError:
            missed += 1
    if not errors:
        return {"synthetic CT": float(count), "no spine found": float(missed)}
    distances = np.array([error.distance_mm for error in errors])
    return {
        "synthetic CT": float(count),
        "no spine found": float(missed),
        "curve error mean, mm": round(float(distances.mean()), 2),
        "curve error median, mm": round(float(np.median(distances)), 2),
        "curve error worst, mm": round(float(distances.max()), 2),
        "column covered, mean share": round(float(np.mean([e.covered for e in errors])), 3),
        "found beyond the column, mean mm": round(float(np.mean([e.beyond_mm for e in errors])), 1),
    }
