"""Finished synthetic CT series with known vertebrae: what `vfnode demo` and tests use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import CTVolume
from vfnode.training.synthetic.anatomy import LEVELS
from vfnode.training.synthetic.column3d import TrueVertebra
from vfnode.training.synthetic.scene import Scene, draw, sample_scene
from vfnode.training.synthetic.voxel_canvas import Canvas

_MARGIN_MM = 15.0  #: of air around the trunk


@dataclass(frozen=True)
class SyntheticCT:
    """A drawn CT and the truth about it; not a patient."""

    volume: CTVolume
    truth: tuple[TrueVertebra, ...]  #: bodies wholly inside the volume, cranial to caudal
    curve: SpineCurve  #: smooth line through all body centres C3 to L5, LPS


def synthesize_chest_ct(
    seed: int,
    spacing_mm: tuple[float, float, float] = (1.25, 0.8, 0.8),
    levels: tuple[str, str] = ("C7", "L1"),
    deformities: Mapping[str, tuple[str, float]] | None = None,
    noise_hu: float = 15.0,
) -> SyntheticCT:
    """Draw a chest CT; the same arguments give the same voxels.

    Args:
        seed: the only source of randomness.
        spacing_mm: along (k, r, c).
        levels: first and last vertebra that is wholly covered.
        deformities: level -> (kind, height ratio), e.g. ``{"T8": ("wedge", 0.70)}``;
            kinds are wedge, biconcave and crush. None: no deformed vertebra.
        noise_hu: standard deviation of the noise in soft tissue.
    """
    scene = sample_scene(seed, deformities=deformities or {}, ordinary=True)
    first, last = (LEVELS.index(level) for level in levels)
    top = scene.spine.vertebrae[first].truth.keypoints_patient_mm[..., 2].max() + 8
    bottom = scene.spine.vertebrae[last].truth.keypoints_patient_mm[..., 2].min() - 8
    return acquire(scene, (float(bottom), float(top)), spacing_mm, noise_hu)


def acquire(
    scene: Scene,
    z_range_mm: tuple[float, float],
    spacing_mm: tuple[float, float, float],
    noise_hu: float,
) -> SyntheticCT:
    """Draw a scene between two heights and add the noise of a soft kernel.

    Args:
        scene: the patient.
        z_range_mm: lowest and highest patient z.
        spacing_mm: along (k, r, c).
        noise_hu: standard deviation.
    """
    outlines = [scene.trunk.at(z) for z in np.linspace(*z_range_mm, 9)]
    half = max(o["half_width"] for o in outlines) + _MARGIN_MM
    front = min(o["front"] for o in outlines) - _MARGIN_MM
    back = max(o["back"] for o in outlines) + 2 * _MARGIN_MM
    x = outlines[0]["x"]
    canvas = Canvas.covering(
        np.array([x - half, front, z_range_mm[0]]),
        np.array([x + half, back, z_range_mm[1]]),
        spacing_mm,
    )
    draw(scene, canvas)
    _add_noise(canvas, noise_hu, np.random.default_rng([scene.seed, 11]))
    volume = canvas.to_volume()
    bodies = tuple(v.truth for v in scene.spine.vertebrae)
    seen = tuple(b for b in bodies if volume.contains(b.keypoints_patient_mm).all())
    return SyntheticCT(volume, seen, scene.spine.target_curve())


def _add_noise(canvas: Canvas, noise_hu: float, rng: np.random.Generator) -> None:
    """Correlated noise; slice by slice, to keep the memory low."""
    sigma = (0.5 / canvas.spacing_mm[1], 0.5 / canvas.spacing_mm[2])
    scale = 1.0
    for index in range(len(canvas.hu)):
        noise = gaussian_filter(rng.standard_normal(canvas.hu.shape[1:], np.float32), sigma)
        if index == 0:
            scale = noise_hu / max(float(noise.std()), 1e-6)
        canvas.hu[index] += np.float32(scale) * noise
