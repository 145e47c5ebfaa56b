"""The vertebral column in patient space: the sagittal column plus scoliosis and rotation.

The sagittal shapes come from `anatomy.py`, so the 2D and the 3D images show the
same people. Patient frame: LPS, mm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from vfnode.spine.curve import SpineCurve
from vfnode.training.synthetic.anatomy import (
    LEVELS,
    PlacedVertebra,
    VertebraShape,
    sample_column,
)
from vfnode.training.synthetic.voxel_canvas import FloatArray


@dataclass(frozen=True)
class TrueVertebra:
    """Truth about one level of a synthetic CT."""

    level: str
    keypoints_patient_mm: FloatArray  #: (3, 2, 3) anterior/middle/posterior x superior/inferior
    deformity: str  #: 'none', 'wedge', 'biconcave' or 'crush'

    @property
    def heights_mm(self) -> FloatArray:
        """Anterior, middle, posterior height, shape (3,), mm."""
        points = self.keypoints_patient_mm
        heights: FloatArray = np.linalg.norm(points[:, 1] - points[:, 0], axis=-1)
        return heights

    @property
    def height_ratio(self) -> float:
        """Lowest over highest of the three heights."""
        return float(self.heights_mm.min() / self.heights_mm.max())


@dataclass(frozen=True)
class SolidVertebra:
    """A vertebra's shape and where it stands."""

    shape: VertebraShape
    origin_mm: FloatArray  #: (3,) patient, of the shape's own frame
    axes: FloatArray  #: (3, 3) columns: posterior, left, caudal unit vectors

    def to_patient(self, points_mm: FloatArray) -> FloatArray:
        """Own frame (..., 3) as posterior, left, caudal -> patient LPS."""
        points: FloatArray = np.asarray(points_mm, float) @ self.axes.T + self.origin_mm
        return points

    @property
    def truth(self) -> TrueVertebra:
        """Level, keypoints and deformity."""
        flat = self.shape.keypoints_mm
        own = np.stack([flat[..., 0], np.zeros_like(flat[..., 0]), flat[..., 1]], -1)
        return TrueVertebra(self.shape.level, self.to_patient(own), self.shape.kind)


@dataclass(frozen=True)
class Spine:
    """Vertebrae C2 to L5, cranial to caudal."""

    vertebrae: tuple[SolidVertebra, ...]
    size: float  #: patient size, 1 = median

    def centre(self, level: str) -> FloatArray:
        """Origin of a level's body, patient mm, shape (3,)."""
        return self.vertebrae[LEVELS.index(level)].origin_mm

    def z_of(self, position: float) -> float:
        """z at a position counted in levels: 0 is C2, 6 T1, 18 L1; extended beyond the ends."""
        return float(self.at(position)[2])

    def at(self, position: float) -> FloatArray:
        """Centre-line point at a position counted in levels, patient mm; straight beyond."""
        centres = np.array([v.origin_mm for v in self.vertebrae])
        last = len(centres) - 1
        index = int(np.clip(np.floor(position), 0, last - 1))
        step = centres[index + 1] - centres[index]
        point: FloatArray = centres[index] + (position - index) * step
        return point

    def along(self, z_mm: FloatArray) -> FloatArray:
        """x, y of the centre line at heights z (N,), straight beyond the ends; (N, 2)."""
        centres = np.array([self.at(p) for p in range(-1, len(self.vertebrae) + 1)])
        order = np.argsort(centres[:, 2])
        return np.stack(
            [np.interp(z_mm, centres[order, 2], centres[order, axis]) for axis in (0, 1)], -1
        )

    def target_curve(self) -> SpineCurve:
        """Smooth line through the body centres, from the top of C3 to the bottom of L5.

        Atlas, C2 and sacrum are no targets: they are not graded.
        """
        bodies = [v.truth.keypoints_patient_mm for v in self.vertebrae[1:]]
        top, bottom = bodies[0][:, 0].mean(0), bodies[-1][:, 1].mean(0)
        return SpineCurve.from_points(np.array([top, *(b.mean((0, 1)) for b in bodies), bottom]))


def sample_spine(
    rng: np.random.Generator,
    *,
    deformities: Mapping[str, tuple[str, float]] | None = None,
    natural: bool = False,
) -> Spine:
    """Random spine C2 to L5 around the origin.

    Args:
        rng: the only source of randomness.
        deformities: level -> (kind, height ratio).
        natural: mean kyphosis and hardly any scoliosis; otherwise the lateral deviation
            has a median of about 8 mm (100 annotated chest CT: 4.5/10.5/28 mm drift at
            5/50/95 %) and kyphosis runs from 0.4 to 1.7 of the natural one.
    """
    column = sample_column(
        rng,
        LEVELS,
        curvature=1.0 if natural else float(rng.uniform(0.4, 1.7)),
        deformities=deformities,
    )
    drift = float(rng.uniform(0, 5) if natural else rng.gamma(1.6, 6.0))
    waves = rng.uniform(250, 700, 2)
    phases = rng.uniform(0, 2 * np.pi, 2)
    lean = rng.normal(0, 0.03)
    turn = rng.normal(0, 0.8 if natural else 3.0)

    deep = 1.0 if natural else float(rng.uniform(0.85, 1.2))

    def lateral(z: float) -> float:
        sines = np.sin(2 * np.pi * z / waves + phases) @ np.array([0.5, 0.3])
        return float(drift * sines + lean * z)

    solid = tuple(
        _stand(_deepened(v, deep), lateral, turn + float(rng.normal(0, 0.7)))
        for v in column.vertebrae
    )
    return Spine(solid, column.size)


def _deepened(vertebra: PlacedVertebra, factor: float) -> PlacedVertebra:
    """The same body with another antero-posterior depth (heights change by well under 1 %)."""
    points = vertebra.shape.keypoints_mm * np.array([factor, 1.0])
    return replace(vertebra, shape=replace(vertebra.shape, keypoints_mm=points))


def _stand(
    vertebra: PlacedVertebra, lateral: Callable[[float], float], turn_degrees: float
) -> SolidVertebra:
    """Column frame -> patient: bend sideways, keep the body square to the bend, turn it."""
    x, z = vertebra.centre_mm
    cos, sin = np.cos(vertebra.angle_rad), np.sin(vertebra.angle_rad)
    slope = (lateral(z + 5) - lateral(z - 5)) / 10
    posterior = np.array([0.0, cos, -sin])
    caudal = np.array([slope, -sin, -cos])
    caudal -= posterior * (posterior @ caudal)
    caudal /= np.linalg.norm(caudal)
    left = np.cross(caudal, posterior)
    cos, sin = np.cos(np.radians(turn_degrees)), np.sin(np.radians(turn_degrees))
    axes = np.stack([cos * posterior + sin * left, cos * left - sin * posterior, caudal], 1)
    return SolidVertebra(vertebra.shape, np.array([lateral(z), x, -z]), axes)
