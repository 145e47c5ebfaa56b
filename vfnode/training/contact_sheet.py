"""One picture of what the generators make, to be looked at beside real CT."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from vfnode.spine.resample import resample, window
from vfnode.spine.volume import CTVolume
from vfnode.training.levels.boxes import draw_box
from vfnode.training.spine.volumes import draw_volume
from vfnode.training.synthetic.plane.degrade import degrade
from vfnode.training.synthetic.plane.sagittal import draw_natural, draw_straightened

WINDOW_HU = (-300.0, 700.0)
GAP_PX, TITLE_PX = 6, 16
WIDTH_PX = 1400  #: a longer row is broken
PIXEL_MM = 2.0  #: of the views of volumes
_BONE_HU = 250.0
_BOX_SCALE = 2  #: a box's voxel is 4 mm: two pixels

Tile = tuple[str, np.ndarray]  #: what it is, HU (rows, columns)


def contact_sheet(seed: int, count: int, real: Sequence[CTVolume] = ()) -> Image.Image:
    """Draw `count` of everything that training reads, from seeds that count up from `seed`.

    Args:
        seed: of the first image of each row.
        count: images a row.
        real: CT shown in the last row, in the same views and window.

    Returns:
        Grey picture with the seed over each image.
    """
    seeds = range(seed, seed + count)
    rows = [
        [_straightened(number) for number in seeds],
        [_natural(number) for number in seeds],
        [tile for number in seeds for tile in views(f"3D {number}", draw_volume(number).volume())],
        [tile for number in seeds for tile in _box(number)],
        [tile for number, ct in enumerate(real) for tile in views(f"real {number + 1}", ct)],
    ]
    return _stacked([_row(line) for row in rows for line in _lines(row)])


def _straightened(seed: int) -> Tile:
    rng = np.random.default_rng([seed, 21])
    sample = draw_straightened(rng, (336, 160))
    return f"detector {seed}", degrade(rng, sample.hu, sample.step_mm).hu


def _natural(seed: int) -> Tile:
    rng = np.random.default_rng([seed, 22])
    sample = draw_natural(rng, 1.0)
    return f"second look {seed}", degrade(rng, sample.hu, sample.step_mm).hu


def _box(seed: int) -> list[Tile]:
    hu = draw_box(seed).hu.astype(np.float32)
    large = hu.repeat(_BOX_SCALE, 0)
    return [
        (f"levels {seed} sag", large[:, :, hu.shape[2] // 2].repeat(_BOX_SCALE, 1)),
        ("cor", large[:, hu.shape[1] // 2].repeat(_BOX_SCALE, 1)),
    ]


def views(name: str, volume: CTVolume) -> list[Tile]:
    """Sagittal and coronal plane with the most bone, and the middle axial one."""
    canonical = volume.canonical()
    hu = resample(canonical.hu, canonical.spacing_mm, (PIXEL_MM,) * 3)
    bone = hu > _BONE_HU
    column = _densest(bone.sum((0, 1)))
    row = _densest(bone.sum((0, 2)))
    return [
        (f"{name} sag", hu[:, :, column]),
        ("cor", hu[:, row]),
        ("ax", hu[len(hu) // 2]),
    ]


def _densest(counts: np.ndarray) -> int:
    """Index of the plane whose surroundings hold the most."""
    return int(np.convolve(counts, np.ones(9), mode="same").argmax())


def _lines(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Tiles in lines of at most ``WIDTH_PX``, each with at least one."""
    lines: list[list[Tile]] = []
    left = WIDTH_PX
    for tile in tiles:
        width = tile[1].shape[1] + GAP_PX
        if left + width > WIDTH_PX:
            lines.append([])
            left = 0
        lines[-1].append(tile)
        left += width
    return lines


def _row(tiles: Sequence[Tile]) -> Image.Image:
    height = TITLE_PX + max(hu.shape[0] for _, hu in tiles)
    width = sum(hu.shape[1] + GAP_PX for _, hu in tiles)
    row = Image.new("L", (width, height))
    pen, left = ImageDraw.Draw(row), 0
    for name, hu in tiles:
        pen.text((left, 2), name, fill=255)
        grey = (255 * window(hu, *WINDOW_HU)).astype(np.uint8)
        row.paste(Image.fromarray(grey), (left, TITLE_PX))
        left += hu.shape[1] + GAP_PX
    return row


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new(
        "L", (max(row.width for row in rows), sum(row.height + GAP_PX for row in rows))
    )
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP_PX
    return sheet
