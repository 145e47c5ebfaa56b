"""Draws vertebral bodies, discs and the spinal canal of a `Spine` on a canvas.

Bodies are the sagittal profile of `body.py` (exact at the mid-sagittal plane)
times an oval cross-section flattened at the back; Panjabi et al. 1991, 1992.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from vfnode.training.synthetic.anatomy import LEVELS
from vfnode.training.synthetic.bone_look import BoneLook
from vfnode.training.synthetic.column3d import SolidVertebra, Spine
from vfnode.training.synthetic.voxel_canvas import Box, Canvas, Image

# Level positions (C2 = 0, T1 = 6, L1 = 18): how heart-shaped a body is; Panjabi et al. 1991.
_TAPER_AT, _TAPER = (0, 6, 9, 13, 17, 20), (0.1, 0.4, 1.0, 1.0, 0.6, 0.3)
_LONGEST_SPUR_MM = 4.0  # longer ones would be drawn as needles
_WATER_HU, _EPIDURAL_FAT_HU = 25.0, -60.0


@dataclass(frozen=True)
class _OwnGrid:
    """A box of the canvas in a vertebra's own frame: posterior, left, caudal, mm."""

    box: Box
    u: Image
    v: Image
    w: Image


def own_grid(canvas: Canvas, vertebra: SolidVertebra, reach_mm: np.ndarray) -> _OwnGrid | None:
    """Own-frame coordinates in the patient box that holds own-frame extents.

    Args:
        canvas: to be drawn on.
        vertebra: whose frame is meant.
        reach_mm: (2, 3) lowest and highest posterior, left, caudal coordinate.
    """
    corners = np.array(np.meshgrid(*reach_mm.T)).reshape(3, -1).T
    points = vertebra.to_patient(corners)
    box = canvas.box(points.min(0) - 1, points.max(0) + 1)
    if box is None:
        return None
    offsets = [
        g - np.float32(o) for g, o in zip((box.x, box.y, box.z), vertebra.origin_mm, strict=True)
    ]
    x, y, z = offsets
    own = [x * a[0] + y * a[1] + z * a[2] for a in vertebra.axes.T.astype(np.float32)]
    return _OwnGrid(box, *own)


def paint_spine(canvas: Canvas, spine: Spine, look: BoneLook, rng: np.random.Generator) -> None:
    """Draw soft sheath, discs, canal and bodies of all vertebrae (arches: `arch.py`)."""
    for vertebra in spine.vertebrae:
        _paint_sheath(canvas, vertebra, look, float(rng.uniform(-20, 50)))
    for above, below in pairwise(spine.vertebrae):
        vacuum = above.shape.level in look.vacuum_discs
        hu = float(rng.uniform(-400, -100)) if vacuum else look.disc_hu + rng.normal(0, 8)
        paint_disc(canvas, above, below, look, (look.disc_hu, hu))
    for vertebra in spine.vertebrae:
        _paint_canal(canvas, vertebra, look)
    for vertebra in spine.vertebrae:
        paint_body(canvas, vertebra, look, rng)


def _extent(vertebra: SolidVertebra, margin_mm: float) -> np.ndarray:
    """Own-frame bounding box of the body, (2, 3)."""
    points = vertebra.shape.keypoints_mm.reshape(-1, 2)
    half = vertebra.shape.width_mm / 2
    low = np.array([points[:, 0].min(), -half, points[:, 1].min()])
    high = np.array([points[:, 0].max(), half, points[:, 1].max()])
    return np.stack([low - margin_mm, high + margin_mm])


def _cross_section(
    vertebra: SolidVertebra, grid: _OwnGrid, look: BoneLook, widen_mm: float = 0.0
) -> Image:
    """Signed distance, across the axis, to the body's side walls.

    Thoracic bodies are heart-shaped (narrow in front), lumbar ones kidney-shaped;
    in both the back wall is hollow. At the mid-sagittal plane it is exact.
    """
    points = vertebra.shape.keypoints_mm
    top, bottom = points[[0, 2], 0, 1].mean(), points[[0, 2], 1, 1].mean()
    t = np.clip((grid.w - np.float32(top)) / np.float32(bottom - top), 0, 1)
    waist = 4 * t * (1 - t)
    concavity = vertebra.shape.wall_concavity_mm
    front = _mix(points[0, :, 0], t) + waist * np.float32(concavity[0]) - widen_mm
    back = _mix(points[2, :, 0], t) - waist * np.float32(concavity[1]) + widen_mm
    half_width = vertebra.shape.width_mm / 2 + widen_mm - waist * concavity.mean()
    depth = (back - front) / 2
    along = np.clip((grid.u - (front + back) / 2) / depth, -1.5, 1.5)
    aside = np.abs(grid.v / half_width)
    taper = np.float32(look.taper * np.interp(_position(vertebra), _TAPER_AT, _TAPER))
    aside = aside / (1 - taper * np.clip((1 - along) / 2, 0, 1))
    notch = np.float32(look.notch_mm) * np.clip(along, 0, 1) * np.minimum(aside * aside, 1)
    across = np.abs(along - notch / depth)
    power = np.float32(look.roundness)
    rho = (across**power + aside**power) ** (1 / power)
    return np.asarray((rho - 1) * depth, np.float32)


def _position(vertebra: SolidVertebra) -> int:
    return LEVELS.index(vertebra.shape.level)


def _mix(ends: np.ndarray, t: Image) -> Image:
    mixed: Image = np.float32(ends[0]) + t * np.float32(ends[1] - ends[0])
    return mixed


def endplate_w(vertebra: SolidVertebra, grid: _OwnGrid, side: int) -> Image:
    """Caudal coordinate of an endplate (0 superior, 1 inferior) under each grid point.

    The sag fades towards the left and right rim, where the endplate is its chord.
    """
    fractions = np.linspace(0, 1, 65)
    curve = vertebra.shape.endplate(side, fractions)
    front, back = curve[0], curve[-1]
    even = np.linspace(front[0], back[0], 129)
    chord = np.interp(even, [front[0], back[0]], [front[1], back[1]])
    sag = np.interp(even, curve[:, 0], curve[:, 1]) - chord
    index = (grid.u - np.float32(even[0])) * np.float32(128 / (even[-1] - even[0]))
    index = np.clip(index, 0, 128).astype(np.int16)
    fade = np.clip(1 - (grid.v / np.float32(vertebra.shape.width_mm / 2)) ** 2, 0, 1)
    found: Image = chord.astype(np.float32)[index] + fade * sag.astype(np.float32)[index]
    return found


def _paint_sheath(canvas: Canvas, vertebra: SolidVertebra, look: BoneLook, hu: float) -> None:
    """Soft tissue that keeps the lung off the bone."""
    grid = own_grid(canvas, vertebra, _extent(vertebra, 8.0))
    if grid is None:
        return
    height = np.ptp(vertebra.shape.keypoints_mm[..., 1]) / 2 + 4
    distance = np.maximum(
        _cross_section(vertebra, grid, look, 3.0), np.abs(grid.w) - np.float32(height)
    )
    canvas.paint(grid.box, distance, hu)


def paint_disc(
    canvas: Canvas,
    above: SolidVertebra,
    below: SolidVertebra,
    look: BoneLook,
    hu: tuple[float, float],
) -> None:
    """Disc between two bodies, overlapping both: the bodies are drawn over it.

    `hu` is that of its rim and of its core.
    """
    gap = float(np.linalg.norm(below.origin_mm - above.origin_mm))
    reach = _extent(above, 3.0)
    reach[0, 2], reach[1, 2] = 0.0, gap
    grid = own_grid(canvas, above, reach)
    if grid is None:
        return
    height = grid.w - np.float32(above.shape.keypoints_mm[..., 1].max() - 4)
    normal, origin = below.axes[:, 2].astype(np.float32), below.origin_mm.astype(np.float32)
    offset = (grid.box.x - origin[0], grid.box.y - origin[1], grid.box.z - origin[2])
    over = sum(o * n for o, n in zip(offset, normal, strict=True))
    over = over - np.float32(below.shape.keypoints_mm[[0, 2], 0, 1].max() + 1.5)
    distance = np.maximum(np.maximum(_cross_section(above, grid, look), over), -height)
    canvas.paint(grid.box, distance.copy(), hu[0])
    canvas.paint(grid.box, distance + np.float32(4), hu[1])


def _paint_canal(canvas: Canvas, vertebra: SolidVertebra, look: BoneLook) -> None:
    back = float(vertebra.shape.keypoints_mm[2, :, 0].mean())
    depth, half_width = canal_size_mm(vertebra, look)
    height = np.ptp(vertebra.shape.keypoints_mm[..., 1]) / 2 + 6
    reach = np.array([[back - 1, -half_width, -height], [back + depth + 1, half_width, height]])
    grid = own_grid(canvas, vertebra, reach)
    if grid is None:
        return
    u, v = (grid.u - (back + depth / 2)) / (depth / 2), grid.v / half_width
    rho = np.sqrt(u * u + v * v)
    side = np.abs(grid.w) - np.float32(height)
    canvas.paint(grid.box, np.maximum((rho - 1) * (depth / 2), side), _EPIDURAL_FAT_HU)
    canvas.paint(grid.box, np.maximum((rho - 0.8) * (depth / 2), side), _WATER_HU)


def canal_size_mm(vertebra: SolidVertebra, look: BoneLook) -> tuple[float, float]:
    """Depth and half width of the spinal canal; Panjabi et al. 1991, 1992."""
    width = vertebra.shape.width_mm
    return (13.0 + 0.06 * width) * look.canal_depth, 8.5 + 0.06 * width


def paint_body(
    canvas: Canvas, vertebra: SolidVertebra, look: BoneLook, rng: np.random.Generator
) -> None:
    noise = rng.normal(0, 1, (2,))
    seed = int(rng.integers(2**31))
    grid = own_grid(canvas, vertebra, _extent(vertebra, 6.0))
    if grid is None:
        return
    top, bottom = endplate_w(vertebra, grid, 0), endplate_w(vertebra, grid, 1)
    walls = _cross_section(vertebra, grid, look) - _osteophytes(vertebra, grid)
    distance = np.maximum(np.maximum(top - grid.w, grid.w - bottom), walls)
    core = look.trabecular_hu * (1 + 0.08 * noise[0])
    if vertebra.shape.level in look.cement_levels:
        core = 1500.0
    sigma = 0.9 / np.array(canvas.spacing_mm)
    pattern = gaussian_filter(
        np.random.default_rng(seed).standard_normal(distance.shape, np.float32), sigma
    )
    pattern *= np.float32(look.texture_hu / max(float(pattern.std()), 1e-6))
    canvas.paint_shell(grid.box, distance, look.cortex_mm, look.cortex_hu, core + pattern)


def _osteophytes(vertebra: SolidVertebra, grid: _OwnGrid) -> Image:
    """Push of bone spurs on the walls at the four corners, mm."""
    pushed = np.zeros((1, 1, 1), np.float32)
    middle = vertebra.shape.keypoints_mm[1, :, 0].mean()
    for column, end in ((0, 0), (0, 1), (1, 0), (1, 1)):
        length = min(vertebra.shape.osteophytes_mm[column, end], _LONGEST_SPUR_MM)
        if length == 0:
            continue
        corner_w = vertebra.shape.keypoints_mm[2 * column, end, 1]
        near = np.exp(-(((grid.w - corner_w) / 2.5) ** 2))
        ahead = (grid.u < middle) if column == 0 else (grid.u > middle)
        pushed = pushed + np.float32(length) * near * ahead
    return pushed
