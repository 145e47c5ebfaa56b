"""Semi-real deformities: the endplates of one body of a real CT, lowered by a known amount.

The texture is real and the truth is known. The band of each endplate moves rigidly, the body
between the bands is compressed. What a wedge or a crush loses is taken up as in a patient, in
drawn shares: the neighbours close up, with all that lies beyond them, and the disc widens; the
dent of a biconcave body is filled by its disc. The read points go through the same warp. Every
point moves along the deformed body's own cranio-caudal axis only, so the warp and its inverse
are both exact: straight pieces between a few knots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from scipy.optimize import brentq

from vfnode.errors import GeometryError
from vfnode.spine.body_aligned import body_rotation
from vfnode.spine.genant import height_ratio
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import AIR_HU, CTVolume, FloatArray

KINDS = ("wedge", "biconcave", "crush")
CLOSING_KINDS = ("wedge", "crush")  #: a dent is filled by the disc: no neighbour can close it
BAND_INSIDE_MM = 2.5  #: of bone below the endplate that moves with it
BAND_SHARE = 0.3  #: at most, of the height that is left
DISC_SHARE = 0.28  #: of the disc that moves with each endplate; its middle is stretched
OPEN_DISC_MM = 5.0  #: assumed beyond an outermost body
THINNEST_DISC_MM = 1.0  #: discs read thinner are taken as this thick
HALF_WIDTH = 0.72  #: of a body from its middle to its side, in antero-posterior depths
FADE_MM = 9.0  #: beyond the body's walls the stretching of the discs fades to nothing
RIGID_MM = 32.0  #: so far from the body's axis neighbours close up as they are
RIGID_FADE_MM = 24.0  #: beyond that their movement fades to nothing
CRUSH_FRONT = 0.35  #: a crushed body loses this share at the front of what it loses at the back
LEFT_MM = 4.0  #: of height at least stays
_SLAB = 16  #: slices that are warped at once, to keep the memory low


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
    closing: float = 0.0  #: of a wedge's or crush's loss: neighbours close up; discs widen the rest

    def __post_init__(self) -> None:
        shares = 0 <= self.superior_share <= 1 and 0 <= self.closing <= 1
        fine = shares and 0 < self.ratio < 1 and self.sharpness > 0
        if self.kind not in KINDS or not fine:
            raise GeometryError(f"not a deformation: {self}")


@dataclass(frozen=True)
class Warp:
    """The warp of one body in its own frame: posterior u, left w, caudal c; mm."""

    centre: FloatArray
    rotation: FloatArray  #: (3, 3) columns posterior, left, caudal
    lines: FloatArray  #: (4, 3, 2) disc above, superior, inferior, disc below: 3 x (u, c)
    spine: FloatArray  #: (n, 3) centres (u, w, c) of all bodies, cranial to caudal
    deformation: Deformation
    loss_mm: float

    def forward(self, points_mm: FloatArray) -> FloatArray:
        """Where the warp takes patient points (..., 3)."""
        return self._moved(points_mm, after=True)

    def backward(self, points_mm: FloatArray) -> FloatArray:
        """Where the tissue that the warp brings to patient points (..., 3) came from."""
        return self._moved(points_mm, after=False)

    def _moved(self, points_mm: FloatArray, *, after: bool) -> FloatArray:
        local = (points_mm - self.centre) @ self.rotation
        u, w, c = local.reshape(-1, 3).T
        share = self.deformation.superior_share
        shift = np.where(c < 0, share, share - 1) * self._closed(u, w, c) * (1 if after else -1)
        # Beyond the discs all moves as one: only what lies between them needs the knots.
        heights = self.lines[..., 1]
        between = (c > heights.min() - self.loss_mm - OPEN_DISC_MM) & (
            c < heights.max() + self.loss_mm + OPEN_DISC_MM
        )
        before, behind = self._knots(local.reshape(-1, 3)[between])
        old, new = (before, behind) if after else (behind, before)
        shift[between] = _piecewise(c[between], old, new)
        return np.asarray(points_mm + shift.reshape(*local.shape[:-1], 1) * self.rotation[:, 2])

    def _knots(self, local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places c of the six knots before and after, (6, n) each, for points (n, 3)."""
        u, w, c = local.T
        above, superior, inferior, below = (np.interp(u, *line.T) for line in self.lines)
        closed = self._closed(u, w, c)
        loss = closed + self._widened(u, w)
        inside = np.minimum(BAND_INSIDE_MM, BAND_SHARE * (inferior - superior - loss))
        top = superior - DISC_SHARE * np.maximum(superior - above, THINNEST_DISC_MM)
        bottom = inferior + DISC_SHARE * np.maximum(below - inferior, THINNEST_DISC_MM)
        high = np.minimum(above, superior - THINNEST_DISC_MM)
        low = np.maximum(below, inferior + THINNEST_DISC_MM)
        high = high + DISC_SHARE * (superior - high)
        low = low - DISC_SHARE * (low - inferior)
        before = np.stack([high, top, superior + inside, inferior - inside, bottom, low])
        share = self.deformation.superior_share
        down, up = share, share - 1
        moved = np.stack([down * closed, *[down * loss] * 2, *[up * loss] * 2, up * closed])
        return before, before + moved

    def _widened(self, u: FloatArray, w: FloatArray) -> FloatArray:
        """Height of columns (u, w) that the discs take up, mm."""
        front, _, back = self.lines[1:3, :, 0].mean(0)
        half_width = HALF_WIDTH * (back - front)
        near = _fade(np.abs(w) - half_width) * _fade(front - u) * _fade(u - back)
        return np.asarray(self.loss_mm * self._profile(u) * (1 - self._closing) * near)

    def _closed(self, u: FloatArray, w: FloatArray, c: FloatArray) -> FloatArray:
        """Height that the neighbours close up, mm: all that lies near the spine moves as one."""
        if self._closing == 0:
            return np.zeros_like(u)
        axis_u, axis_w = (np.interp(c, self.spine[:, 2], self.spine[:, k]) for k in (0, 1))
        far = _fade(np.hypot(u - axis_u, w - axis_w) - RIGID_MM, RIGID_FADE_MM)
        return np.asarray(self.loss_mm * self._profile(u) * self._closing * far)

    def _profile(self, u: FloatArray) -> FloatArray:
        """Share of the loss at u, from the front to the back of the body."""
        front, middle, back = self.lines[1:3, :, 0].mean(0)
        along = np.clip((u - front) / (back - front), 0, 1)
        if self.deformation.kind == "wedge":
            return np.asarray(1 - along)
        if self.deformation.kind == "crush":
            return np.asarray(CRUSH_FRONT + (1 - CRUSH_FRONT) * along)
        bump = np.interp(u, [front, middle, back], [-1.0, 0.0, 1.0])
        return np.asarray(np.cos(np.pi / 2 * bump) ** (1 + self.deformation.sharpness))

    @property
    def _closing(self) -> float:
        return self.deformation.closing if self.deformation.kind in CLOSING_KINDS else 0.0


def warp_of(keypoints_mm: FloatArray, index: int, deformation: Deformation) -> Warp:
    """The warp that gives one body the wanted height ratio.

    Args:
        keypoints_mm: (n, 3, 2, 3) LPS, consecutive bodies from cranial to caudal, none missing.
        index: of the body.
        deformation: what to do to it.

    Raises:
        GeometryError: the body is already as low as asked, or too low to lose as much.
    """
    points = keypoints_mm[index]
    centre, rotation = points.mean((0, 1)), body_rotation(points)
    lines = _lines(keypoints_mm, index, (centre, rotation))
    spine = (keypoints_mm.mean((1, 2)) - centre) @ rotation
    most = float(heights_mm(points).min() - LEFT_MM)

    def excess(loss_mm: float) -> float:
        warp = Warp(centre, rotation, lines, spine, deformation, loss_mm)
        return height_ratio(heights_mm(warp.forward(points))) - deformation.ratio

    if most <= 0 or excess(0.0) <= 0 or excess(most) >= 0:
        raise GeometryError(f"a body of {heights_mm(points)} mm cannot become {deformation}")
    loss_mm = float(brentq(excess, 0.0, most, xtol=1e-3))
    return Warp(centre, rotation, lines, spine, deformation, loss_mm)


def warped(volume: CTVolume, warps: Sequence[Warp]) -> CTVolume:
    """A CT after warps, the first one first: cubic where something moved, untouched elsewhere.

    Interpolated once, however many warps there are. What comes from beyond the volume is air.
    """
    if not warps:
        return volume
    rows, columns = _reach(volume, warps)
    corner = np.array([-1, rows.start - 1, columns.start - 1])
    box = np.pad(volume.hu[:, rows, columns], 1, constant_values=AIR_HU)
    smooth = spline_filter(box, order=3, output=np.float32)
    hu = volume.hu.copy()
    for first in range(0, len(hu), _SLAB):
        part = hu[first : first + _SLAB, rows, columns]
        grid = np.moveaxis(np.indices(part.shape, float), 0, -1) + corner + [first + 1, 1, 1]
        points = volume.to_patient(grid)
        source = points
        for warp in reversed(warps):
            source = warp.backward(source)
        moved = np.abs(source - points).max(-1) > 1e-3  # noqa: PLR2004 - mm
        at = (volume.to_voxel(source[moved]) - corner).T
        values = map_coordinates(smooth, at, order=3, prefilter=False, mode="constant", cval=AIR_HU)
        part[moved] = np.clip(np.rint(values), -1024, 32767).astype(np.int16)
    return CTVolume(hu, volume.affine)


def _reach(volume: CTVolume, warps: Sequence[Warp]) -> tuple[slice, slice]:
    """Rows and columns of a volume (k along the spine) that any warp can change."""
    spines = [warp.spine @ warp.rotation.T + warp.centre for warp in warps]
    voxels = volume.to_voxel(np.concatenate(spines))[:, 1:]
    reach = (RIGID_MM + RIGID_FADE_MM) / volume.spacing_mm[1:]
    low = np.clip(np.floor(voxels.min(0) - reach).astype(int), 0, None)
    high = np.ceil(voxels.max(0) + reach).astype(int) + 1
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


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


def _piecewise(c: FloatArray, old: FloatArray, new: FloatArray) -> FloatArray:
    """How far c moves when knots (6, ...) go from old to new: straight pieces, rigid beyond."""
    moved = new - old
    shift = np.where(c < old[0], moved[0], moved[-1])
    for i in range(len(old) - 1):
        inside = (c >= old[i]) & (c < old[i + 1])
        part = (c - old[i]) / np.maximum(old[i + 1] - old[i], 1e-6)
        shift = np.where(inside, moved[i] + part * (moved[i + 1] - moved[i]), shift)
    return np.asarray(shift)


def _fade(beyond_mm: FloatArray, width_mm: float = FADE_MM) -> FloatArray:
    """1 inside, falling smoothly to 0 at ``width_mm`` beyond a wall."""
    part = np.clip(beyond_mm / width_mm, 0, 1)
    return np.asarray(1 - part * part * (3 - 2 * part))
