"""Semi-real deformities: the endplates of one body of a real CT, lowered by a known amount.

The texture is real and the truth is known. The band of each endplate moves rigidly, the body
between the bands is compressed, the discs are stretched in their middle, and the read points
go through the same warp. Every point moves along its body's own cranio-caudal axis only, so
the warp and its inverse are both exact: straight pieces between a few knots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.optimize import brentq

from vfnode.errors import GeometryError
from vfnode.spine.body_aligned import body_rotation
from vfnode.spine.genant import height_ratio
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume, FloatArray

KINDS = ("wedge", "biconcave", "crush")
BAND_INSIDE_MM = 2.5  #: of bone below the endplate that moves with it
DISC_SHARE = 0.28  #: of the disc that moves with each endplate; its middle is stretched
OPEN_DISC_MM = 5.0  #: assumed beyond an outermost body
THINNEST_DISC_MM = 1.0  #: discs read thinner are taken as this thick
HALF_WIDTH = 0.72  #: of a body from its middle to its side, in antero-posterior depths
FADE_MM = 9.0  #: beyond the body's walls the warp fades to nothing
CRUSH_FRONT = 0.35  #: a crushed body loses this share at the front of what it loses at the back
LEFT_MM = 4.0  #: of height at least stays


@dataclass(frozen=True)
class Deformation:
    """What to do to one body.

    Raises:
        GeometryError: an unknown kind, or numbers outside their range.
    """

    kind: str  #: one of KINDS
    ratio: float  #: wanted height ratio G, 0 to 1
    superior_share: float = 0.5  #: of the loss at the upper endplate; the rest at the lower
    sharpness: float = 1.0  #: of a biconcave dent: 1 is smooth, larger is nearer to a V

    def __post_init__(self) -> None:
        fine = 0 < self.ratio < 1 and 0 <= self.superior_share <= 1 and self.sharpness > 0
        if self.kind not in KINDS or not fine:
            raise GeometryError(f"not a deformation: {self}")


@dataclass(frozen=True)
class _Warp:
    """The warp of one body in its own frame: posterior u, left w, caudal c; mm."""

    centre: FloatArray
    rotation: FloatArray  #: (3, 3) columns posterior, left, caudal
    lines: FloatArray  #: (4, 3, 2) disc above, superior, inferior, disc below: 3 x (u, c)
    deformation: Deformation
    loss_mm: float

    def local(self, points_mm: FloatArray) -> FloatArray:
        """Patient points (..., 3) in the body's frame."""
        return np.asarray((points_mm - self.centre) @ self.rotation)

    def knots(self, u: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places c of the six knots before and after, (6, ...) each, for columns (u, w)."""
        above, superior, inferior, below = (np.interp(u, *line.T) for line in self.lines)
        inside = np.minimum(BAND_INSIDE_MM, 0.3 * (inferior - superior))
        top = superior - DISC_SHARE * np.maximum(superior - above, THINNEST_DISC_MM)
        bottom = inferior + DISC_SHARE * np.maximum(below - inferior, THINNEST_DISC_MM)
        high = np.minimum(above, superior - THINNEST_DISC_MM)
        low = np.maximum(below, inferior + THINNEST_DISC_MM)
        high = high + DISC_SHARE * (superior - high)
        low = low - DISC_SHARE * (low - inferior)
        before = np.stack([high, top, superior + inside, inferior - inside, bottom, low])
        loss = self._loss(u, w)
        share = self.deformation.superior_share
        moved = np.stack([0 * loss, *[share * loss] * 2, *[(share - 1) * loss] * 2, 0 * loss])
        return before, before + moved

    def _loss(self, u: FloatArray, w: FloatArray) -> FloatArray:
        """Height that each column (u, w) loses, mm."""
        front, middle, back = self.lines[1:3, :, 0].mean(0)
        along = np.clip((u - front) / (back - front), 0, 1)
        if self.deformation.kind == "wedge":
            profile = 1 - along
        elif self.deformation.kind == "crush":
            profile = CRUSH_FRONT + (1 - CRUSH_FRONT) * along
        else:
            bump = np.interp(u, [front, middle, back], [-1.0, 0.0, 1.0])
            profile = np.cos(np.pi / 2 * bump) ** (1 + self.deformation.sharpness)
        half_width = HALF_WIDTH * (back - front)
        fade = _fade(np.abs(w) - half_width) * _fade(front - u) * _fade(u - back)
        return np.asarray(self.loss_mm * profile * fade)

    def forward(self, points_mm: FloatArray) -> FloatArray:
        """Where the warp takes patient points (..., 3)."""
        return self._moved(points_mm, after=True)

    def backward(self, points_mm: FloatArray) -> FloatArray:
        """Where the tissue that the warp brings to patient points (..., 3) came from."""
        return self._moved(points_mm, after=False)

    def _moved(self, points_mm: FloatArray, *, after: bool) -> FloatArray:
        local = self.local(points_mm)
        before, behind = self.knots(local[..., 0], local[..., 1])
        old, new = (before, behind) if after else (behind, before)
        shift = _piecewise(local[..., 2], old, new) - local[..., 2]
        return np.asarray(points_mm + shift[..., None] * self.rotation[:, 2])


def deform(
    volume: CTVolume, keypoints_mm: FloatArray, index: int, deformation: Deformation
) -> tuple[CTVolume, FloatArray]:
    """Deform one body of a CT.

    Args:
        volume: the CT.
        keypoints_mm: (n, 3, 2, 3) LPS, consecutive bodies from cranial to caudal, none missing.
        index: of the body.
        deformation: what to do to it.

    Returns:
        The warped CT, and the keypoints of all bodies in it: the others' are unchanged.

    Raises:
        GeometryError: the body is already as low as asked, or too low to lose as much.
    """
    warp = _warp(keypoints_mm, index, deformation)
    moved = keypoints_mm.copy()
    moved[index] = warp.forward(keypoints_mm[index])
    return _resampled(volume, warp), moved


def _warp(keypoints_mm: FloatArray, index: int, deformation: Deformation) -> _Warp:
    """The warp whose loss brings the body to the wanted height ratio."""
    points = keypoints_mm[index]
    centre, rotation = points.mean((0, 1)), body_rotation(points)
    lines = _lines(keypoints_mm, index, (centre, rotation))
    most = float(heights_mm(points).min() - LEFT_MM)

    def excess(loss_mm: float) -> float:
        warp = _Warp(centre, rotation, lines, deformation, loss_mm)
        return height_ratio(heights_mm(warp.forward(points))) - deformation.ratio

    if most <= 0 or excess(0.0) <= 0 or excess(most) >= 0:
        raise GeometryError(f"a body of {heights_mm(points)} mm cannot become {deformation}")
    loss_mm = float(brentq(excess, 0.0, most, xtol=1e-3))
    return _Warp(centre, rotation, lines, deformation, loss_mm)


def _lines(
    keypoints_mm: FloatArray, index: int, frame: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Facing endplates and own ones in the body's frame: (4, 3, 2) (u, c) mm."""
    centre, rotation = frame
    local = ((keypoints_mm - centre) @ rotation)[..., [0, 2]]
    own = local[index]
    first, last = index == 0, index == len(local) - 1
    above = own[:, 0] - [0, OPEN_DISC_MM] if first else local[index - 1][:, 1]
    below = own[:, 1] + [0, OPEN_DISC_MM] if last else local[index + 1][:, 0]
    return np.stack([above, own[:, 0], own[:, 1], below])


def _resampled(volume: CTVolume, warp: _Warp) -> CTVolume:
    """The volume after the warp: cubic where something moved, untouched elsewhere."""
    corners = _reach(warp)
    voxels = volume.to_voxel(corners)
    last = np.array(volume.hu.shape) - 1
    low = np.clip(np.floor(voxels.min(0)).astype(int), 0, last)
    high = np.clip(np.ceil(voxels.max(0)).astype(int), 0, last) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)),
                                indexing="ij"), -1)  # fmt: skip
    points = volume.to_patient(grid.astype(float))
    source = warp.backward(points)
    moved = np.linalg.norm(source - points, axis=-1) > 1e-3  # noqa: PLR2004 - mm
    at = (volume.to_voxel(source[moved]) - low).T
    values = map_coordinates(volume.hu[box].astype(np.float32), at, order=3, mode="nearest")
    hu = volume.hu.copy()
    hu[box][moved] = np.clip(np.rint(values), -1024, 32767).astype(np.int16)
    return CTVolume(hu, volume.affine)


def _reach(warp: _Warp) -> FloatArray:
    """Corners of the box that the warp can change, (8, 3) patient mm."""
    u, c = warp.lines[..., 0], warp.lines[..., 1]
    half = HALF_WIDTH * np.ptp(u[1:3].mean(0)) + FADE_MM
    ranges = [(u.min() - FADE_MM, u.max() + FADE_MM), (-half, half), (c.min() - 2, c.max() + 2)]
    corners = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
    return np.asarray(corners @ warp.rotation.T + warp.centre)


def _piecewise(c: FloatArray, old: FloatArray, new: FloatArray) -> FloatArray:
    """Straight pieces through knots (6, ...) -> (6, ...), each column its own; fixed beyond."""
    moved = c.copy()
    for i in range(len(old) - 1):
        inside = (c >= old[i]) & (c < old[i + 1])
        part = (c - old[i]) / np.maximum(old[i + 1] - old[i], 1e-6)
        moved = np.where(inside, new[i] + part * (new[i + 1] - new[i]), moved)
    return np.asarray(moved)


def _fade(beyond_mm: FloatArray) -> FloatArray:
    """1 inside, falling smoothly to 0 at ``FADE_MM`` beyond a wall."""
    part = np.clip(beyond_mm / FADE_MM, 0, 1)
    return np.asarray(1 - part * part * (3 - 2 * part))
