"""Figures of a spine localiser on synthetic CT that it was not trained on, and its card."""

from dataclasses import dataclass

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel, ModelManifest
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


def spine_card(manifest: ModelManifest) -> str:
    """CARD.md of the bundle."""
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in manifest.held_out.items())
    recipe = "\n".join(f"- {name}: {value}" for name, value in manifest.training.items())
    return f"""# Spine localiser

Finds the centre line of the vertebral bodies C3 to L5 in a CT of the trunk: a heat-map per
axial slice, and the probability that the slice holds spine. Stage 1 of Zakharov, Pisov et al.,
Medical Image Analysis 83 (2023); architecture `{manifest.architecture}`.

**Trained on synthetic images only** (generator {manifest.generator_version}): no patient's
image, and no weights of others, went into it.

## Input

CT in Hounsfield units, resampled to {manifest.spacing_mm} mm (z, y, x) by
`vfnode.spine.resample`, {manifest.window_hu} HU mapped to 0 to 1, padded with air.

## Recipe

`{manifest.command}`

{recipe}
- loss: mean absolute error of the soft-argmax (cm), binary cross-entropy of the slice
  probability, 0.3 cross-entropy against a Gaussian of 1.2 heat-map pixels (4 mm)
- AdamW, warm-up, cosine, gradient clip 5, EMA 0.998, bfloat16 autocast, seed {manifest.seed}

The schedule follows the clock, so another machine takes another number of steps and gives
other weights; the figures below are those of these weights.

## Held-out figures, synthetic CT of other seeds

| figure | value |
|---|---|
{rows}

Figures on real CT are in the repository's accuracy report, not here. No real CT was trained on,
but the generator was adjusted after looking at results on the five CT of that report: its
figures are not blind.

## Limits

- The curve is a centre line for straightening, not a segmentation.
- The ends are uncertain by about one vertebra where C2 or the sacrum is in the volume.
- Never shown: children, block or butterfly vertebrae, scoliosis beyond about 40 degrees, spines
  with long metal constructs, patients lying on their side.
"""
