"""Pre-generated synthetic volumes for the spine localiser, in a cache folder.

A volume is drawn at 2 mm isotropic and averaged along z as resampling to 4 mm
does, but kept on the 2 mm grid: batches cut 4 x 2 x 2 mm crops out of it. Files
are written atomically and an existing one is never drawn again, so filling a
cache can be stopped and resumed.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vfnode.spine.volume import CTVolume
from vfnode.training.site_arrays import keep
from vfnode.training.synthetic.scene import Scene, draw, sample_scene
from vfnode.training.synthetic.voxel_canvas import Canvas, FloatArray, Image

DRAWN_MM = 2.0

#: Share of volumes and range of cranial and caudal end in levels (C2 = 0, T1 = 6, L5 = 22).
_RANGES = (
    (0.50, (2.0, 6.0), (16.0, 21.0)),  # chest
    (0.28, (12.0, 17.5), (22.5, 30.0)),  # abdomen and pelvis
    (0.12, (-4.0, 1.0), (8.0, 14.0)),  # neck
    (0.10, (-3.0, 4.0), (23.0, 28.0)),  # neck to pelvis
)


@dataclass(frozen=True)
class SpineVolume:
    """One drawn volume and the truth the localiser is trained on."""

    hu: npt.NDArray[np.int16]  #: (K, R, C) canonical, DRAWN_MM isotropic
    first_mm: FloatArray  #: (3,) patient x, y, z of voxel (0, 0, 0)
    curve_mm: FloatArray  #: (N, 3) patient, C3 to L5, evenly spaced by 1 mm
    centres_mm: FloatArray  #: (23, 3) patient, of the bodies C2 to L5

    def volume(self) -> CTVolume:
        """The drawing as a CT."""
        x, y, z = self.first_mm
        step = DRAWN_MM
        affine = np.array([[0, 0, step, x], [0, step, 0, y], [-step, 0, 0, z], [0, 0, 0, 1.0]])
        return CTVolume(self.hu, affine)

    def curve_voxels(self) -> FloatArray:
        """The curve as (N, 3) voxel coordinates k, r, c."""
        offset = (self.curve_mm - self.first_mm) * [1, 1, -1] / DRAWN_MM
        return np.asarray(offset[:, ::-1])


def draw_volume(seed: int) -> SpineVolume:
    """Draw the training volume of one seed."""
    scene = sample_scene(seed)
    rng = np.random.default_rng([seed, 7])
    canvas = _canvas(scene, rng)
    draw(scene, canvas)
    hu = np.clip(np.rint(_averaged(canvas.hu)), -1024, 3071).astype(np.int16)
    first = np.array(canvas.first_mm) - [0, 0, 1.5 * DRAWN_MM]
    centres = np.array([v.truth.keypoints_patient_mm.mean((0, 1)) for v in scene.spine.vertebrae])
    return SpineVolume(hu, first, scene.spine.target_curve().points_mm, centres)


def _averaged(hu: Image) -> Image:
    """Along k with the triangle that `resample` uses from 2 mm to 4 mm; 3 slices shorter."""
    averaged: Image = (hu[:-3] + 3 * hu[1:-2] + 3 * hu[2:-1] + hu[3:]) / np.float32(8)
    return averaged


def _canvas(scene: Scene, rng: np.random.Generator) -> Canvas:
    shares = [share for share, _, _ in _RANGES]
    _, top, bottom = _RANGES[rng.choice(len(_RANGES), p=shares)]
    z_high = scene.spine.z_of(rng.uniform(*top))
    z_low = scene.spine.z_of(rng.uniform(*bottom))
    outlines = [scene.trunk.at(z) for z in np.linspace(z_low, z_high, 12)]
    half = max(o["half_width"] for o in outlines) + rng.uniform(5, 60)
    x = outlines[0]["x"]
    front = min(o["front"] for o in outlines) - 10
    back = max(o["back"] for o in outlines) + rng.uniform(10, 60)
    low, high = np.array([x - half, front, z_low]), np.array([x + half, back, z_high])
    return Canvas.covering(low, high, (DRAWN_MM, DRAWN_MM, DRAWN_MM))


def cached_volume(folder: Path, seed: int) -> SpineVolume:
    """Read one volume, drawing it first where the cache lacks it."""
    path = folder / f"{seed:06d}.npz"
    if not path.exists():
        volume = draw_volume(seed)
        keep(path, asdict(volume))
        return volume
    with np.load(path) as content:
        return SpineVolume(**content)
