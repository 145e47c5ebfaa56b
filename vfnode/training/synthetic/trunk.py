"""The trunk's soft outline: skin, fat, muscle, chest and belly cavity, lungs.

Every slice is a set of ovals whose sizes run through landmarks of the spine.
Half widths and depths: mean adults of the ANSUR anthropometric survey and chest
CT atlases, varied far beyond them.
"""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.column3d import Spine
from vfnode.training.synthetic.voxel_canvas import Canvas, FloatArray, Image

# Position in levels (C2 = 0, T1 = 6, L1 = 18, L5 = 22) of each row of the tables.
_AT = np.array([-7, -3, 0, 3, 5, 6, 7.5, 9, 11, 13, 15, 17, 19, 21, 23, 25, 28, 32.0])
_HALF_WIDTH_MM = np.array(
    [60, 78, 70, 60, 76, 125, 155, 160, 158, 156, 152, 148, 142, 142, 155, 165, 172, 172.0]
)
_DEPTH_MM = np.array(
    [150, 190, 160, 122, 125, 135, 160, 186, 206, 216, 220, 218, 208, 200, 198, 196, 196, 190.0]
)
_BACK_MM = np.array([85, 80, 70, 62, 62, 62, 64, 66, 68, 70, 70, 70, 70, 68, 80, 90, 70, 40.0])
_CAVITY_AT = np.array([5.2, 6, 7, 9, 11, 13, 15, 17, 19, 21, 23, 26, 30.0])
_CAVITY_WIDTH_MM = np.array([20, 48, 78, 110, 124, 132, 133, 128, 118, 112, 105, 100, 90.0])
_CAVITY_DEPTH_MM = np.array([30, 65, 95, 134, 155, 167, 174, 174, 162, 150, 145, 140, 120.0])
_CAVITY_BACK_MM = np.array([10, 20, 29, 38, 43, 45, 44, 38, 26, 18, 15, 40, 40.0])


@dataclass(frozen=True)
class TrunkLook:
    """One patient's build and soft-tissue densities."""

    width: float  #: relative to the tables
    chest: float  #: width of the cavity relative to the trunk
    depth: float
    fat_mm: float  #: subcutaneous
    fat_hu: float
    muscle_hu: float
    lung_hu: float
    belly_hu: float  #: between the organs: fat, or soft tissue in the lean
    inflation: float  #: levels by which the lung bases lie lower than T10
    apex: float  #: levels by which the lung apices lie lower than the upper edge of T1
    gutter: float  #: how far the lungs reach behind the bodies, relative to the mean
    mediastinum_mm: float  #: half width
    recess: float  #: share of that width which the lungs take in front of the bodies
    shadow_hu: float  #: mean density of consolidated lung at the bases
    shadow_levels: float  #: height of the consolidation above the base, in levels


def sample_trunk_look(rng: np.random.Generator) -> TrunkLook:
    """Random build: thin to obese, lung emphysematous to consolidated."""
    sick = rng.random() < 0.25
    return TrunkLook(
        width=float(rng.normal(1.0, 0.08)),
        chest=float(rng.uniform(0.98, 1.16)),
        depth=float(rng.normal(1.0, 0.1)),
        fat_mm=float(2 + rng.gamma(2.0, 8.0)),
        fat_hu=float(rng.uniform(-115, -80)),
        muscle_hu=float(rng.uniform(15, 75)),
        lung_hu=float(rng.uniform(-920, -700)),
        belly_hu=float(rng.choice([rng.uniform(-110, -70), rng.uniform(0, 40)], p=[0.7, 0.3])),
        inflation=float(rng.normal(0, 1.0)),
        apex=float(rng.normal(0, 0.3)),
        gutter=float(np.clip(rng.normal(1.0, 0.15), 0.6, 1.3)),
        mediastinum_mm=float(rng.uniform(20, 40)),
        recess=float(rng.uniform(0.0, 0.85)),
        shadow_hu=float(rng.uniform(-300, 50)),
        shadow_levels=float(rng.uniform(0.5, 4.0)) if sick else 0.0,
    )


@dataclass(frozen=True)
class TrunkShape:
    """Outline by height; sizes in mm, patient frame."""

    z: FloatArray  #: (n,) heights of the landmarks, caudal to cranial
    table: FloatArray  #: (n, 7), see `COLUMNS`

    COLUMNS = ("x", "half_width", "front", "back", "cavity_width", "cavity_front", "cavity_back")

    def at(self, z_mm: float) -> dict[str, float]:
        """Outline of the slice at height `z_mm`."""
        values = [np.interp(z_mm, self.z, column) for column in self.table.T]
        return dict(zip(self.COLUMNS, map(float, values), strict=True))


def shape_trunk(spine: Spine, look: TrunkLook) -> TrunkShape:
    """Outline of the trunk around a spine."""
    positions = np.arange(-7.0, 32.5, 0.5)
    centres = np.array([spine.at(p) for p in positions])
    kernel = np.hanning(13) / np.hanning(13).sum()
    y = np.convolve(np.pad(centres[:, 1], 6, mode="edge"), kernel, mode="valid")
    size = spine.size

    def of(at: FloatArray, table: FloatArray, scale: float) -> FloatArray:
        return np.asarray(np.interp(positions, at, table) * size * scale)

    back = y + of(_AT, _BACK_MM, 1.0) + look.fat_mm
    front = back - of(_AT, _DEPTH_MM, look.depth) - 2 * look.fat_mm
    cavity_back = y + of(_CAVITY_AT, _CAVITY_BACK_MM, look.gutter)
    cavity_depth = of(_CAVITY_AT, _CAVITY_DEPTH_MM, look.depth)
    width = of(_CAVITY_AT, _CAVITY_WIDTH_MM, look.width * look.chest)
    half = of(_AT, _HALF_WIDTH_MM, look.width) + look.fat_mm
    x = np.full(len(positions), centres[16:44, 0].mean())
    table = np.stack([x, half, front, back, width, cavity_back - cavity_depth, cavity_back], 1)
    order = np.argsort(centres[:, 2])
    return TrunkShape(centres[order, 2], table[order])


def oval(x: Image, y: Image, half_width: float, front: float, back: float, power: float) -> Image:
    """Approximate signed distance, mm, to an oval between `front` and `back` (y)."""
    half_depth = max((back - front) / 2, 1e-3)
    rho = np.abs(x / np.float32(half_width)) ** power
    rho = rho + np.abs((y - np.float32((front + back) / 2)) / np.float32(half_depth)) ** power
    distance: Image = (rho ** np.float32(1 / power) - 1) * np.float32(min(half_width, half_depth))
    return distance


def paint_trunk(
    canvas: Canvas, spine: Spine, shape: TrunkShape, look: TrunkLook, rng: np.random.Generator
) -> None:
    """Draw skin, fat, muscle, cavity and lungs, slice by slice."""
    box = canvas.box(np.full(3, -2000.0), np.full(3, 2000.0))
    if box is None:
        return
    waves = rng.uniform(0, 6.28, 3)
    apex, base = spine.z_of(5.6 + look.apex), spine.z_of(14.0 + look.inflation)
    sulcus = spine.z_of(17.0 + 0.6 * look.inflation)
    x, y = box.x[0], box.y[0]
    for index, z in enumerate(box.z[:, 0, 0]):
        outline = shape.at(float(z))
        plane = canvas.hu[index]
        x_own = x - np.float32(outline["x"])
        skin = oval(x_own, y, outline["half_width"], outline["front"], outline["back"], 2.3)
        _blend(canvas, plane, skin, 20.0)
        _blend(canvas, plane, skin + 2, look.fat_hu)
        ripple = np.float32(0.25) * np.sin(x_own / 17 + waves[0]) * np.sin(y / 13 + waves[1])
        _blend(canvas, plane, skin + np.float32(look.fat_mm) * (1 + ripple), look.muscle_hu)
        cavity = oval(
            x_own, y, outline["cavity_width"], outline["cavity_front"], outline["cavity_back"], 2.4
        )
        if z < spine.z_of(5.4):
            _blend(canvas, plane, cavity, look.belly_hu)
        if sulcus - 60 < z < apex:
            lung = _lung_plane(x_own, y, float(z), outline, look, cavity, (apex, base, sulcus))
            depth = (z - sulcus) / max(base - sulcus, 1.0)
            dense = depth < look.shadow_levels - 1 + 0.5 * np.sin(waves[2])
            _blend(canvas, plane, lung, look.shadow_hu if dense else look.lung_hu)


def _lung_plane(
    x: Image,
    y: Image,
    z: float,
    outline: dict[str, float],
    look: TrunkLook,
    cavity: Image,
    heights: tuple[float, float, float],
) -> Image:
    """Signed distance to the lungs in one slice: cavity minus mediastinum and diaphragm."""
    apex, base, sulcus = heights
    middle = (outline["cavity_front"] + outline["cavity_back"]) / 2
    half = (outline["cavity_back"] - outline["cavity_front"]) / 2
    towards = np.clip((y - np.float32(middle)) / np.float32(half), -1, 1)
    narrow = np.clip((apex - z) / 60, 0.4, 1.0)
    wall = look.mediastinum_mm * (1 - 0.45 * towards * towards) * narrow
    # The recess beside azygos vein and oesophagus, just in front of the column.
    wall = wall * (1 - look.recess * np.exp(-(((towards - 0.25) / 0.3) ** 2)))
    mediastinum = np.float32(wall) - np.abs(x)
    centre = np.sign(x) * np.float32(0.5 * outline["cavity_width"])
    rho2 = ((x - centre) / 75) ** 2 + ((y - np.float32(middle - 10)) / np.float32(half)) ** 2
    side = np.where(x < 0, np.float32(8), np.float32(-8))  # the right dome stands higher
    dome = np.float32(base) + side - np.float32(base - sulcus) * np.minimum(rho2, 1.8)
    below = (dome - np.float32(z)) * np.float32(0.7)
    distance: Image = np.maximum(np.maximum(cavity + 3, mediastinum), below)
    return distance


def _blend(canvas: Canvas, plane: Image, distance: Image, hu: float) -> None:
    alpha = canvas.coverage(distance)
    plane += alpha * (np.float32(hu) - plane)
