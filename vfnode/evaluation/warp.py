"""Semi-real deformities: the endplates of one body of a real CT, lowered by a known amount.

The texture is real and the truth is known. The band of each endplate moves rigidly, the body
between the bands is compressed. What a wedge or a crush loses is taken up in drawn shares: the
disc beside it widens, or the neighbours close up as they are, and the next discs widen by a third
of it each; the dent of a biconcave body is filled by its disc. The read points go through the
same warp. Every point moves along the deformed body's own cranio-caudal axis only, so the warp
and its inverse are both exact: straight pieces between a few knots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from vfnode.errors import GeometryError
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.genant import height_ratio
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import FloatArray

KINDS = ("wedge", "biconcave", "crush")
UNIFORM = "uniform crush"  #: the whole depth loses the same: no height ratio shows it
CLOSING_KINDS = (
    "wedge",
    "crush",
    UNIFORM,
)  #: a dent is filled by the disc: no neighbour can close it
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
NEIGHBOURS = 2  #: each side close up; one disc more shares the loss


@dataclass(frozen=True)
class Deformation:
    """Deformation of one body: its kind and its height ratio.

    Raises:
        GeometryError: an unknown kind, or numbers outside their range.
    """

    kind: str  #: one of KINDS, or UNIFORM
    ratio: float  #: wanted height ratio G, 0 to 1; of a uniform crush the share of height left
    superior_share: float = 0.5  #: of the loss at the upper endplate; the rest at the lower
    sharpness: float = 1.0  #: of a biconcave dent: 1 is smooth, larger is nearer to a V
    closing: float = 0.0  #: of a wedge's or crush's loss: neighbours close up; discs widen the rest

    def __post_init__(self) -> None:
        shares = 0 <= self.superior_share <= 1 and 0 <= self.closing <= 1
        fine = shares and 0 < self.ratio < 1 and self.sharpness > 0
        if self.kind not in (*KINDS, UNIFORM) or not fine:
            raise GeometryError(f"not a deformation: {self}")


@dataclass(frozen=True)
class Warp:
    """The warp of one body in its own frame: posterior u, left w, caudal c; mm."""

    centre: FloatArray
    rotation: FloatArray  #: (3, 3) columns posterior, left, caudal
    bodies: FloatArray  #: (n, 2, 3, 2) those that move: superior, inferior line of 3 x (u, c)
    at: int  #: which of them is deformed
    ends: FloatArray  #: (2, 3, 2) lines above and below them that stay
    axis: FloatArray  #: (n, 3) their centres (u, w, c)
    deformation: Deformation
    loss_mm: float

    def forward(self, points_mm: FloatArray) -> FloatArray:
        """Patient points (..., 3) after the warp."""
        return self._moved(points_mm, after=True)

    def backward(self, points_mm: FloatArray) -> FloatArray:
        """Origin of the tissue that the warp brings to patient points (..., 3)."""
        return self._moved(points_mm, after=False)

    def reach_mm(self) -> FloatArray:
        """Corners of the box that the warp can change, (8, 3) patient mm."""
        wide = RIGID_MM + RIGID_FADE_MM
        low = np.array([self.axis[:, 0].min() - wide, -wide, self.ends[0, :, 1].min()])
        high = np.array([self.axis[:, 0].max() + wide, wide, self.ends[1, :, 1].max()])
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1)
        return np.asarray(corners.reshape(-1, 3) @ self.rotation.T + self.centre)

    def _moved(self, points_mm: FloatArray, *, after: bool) -> FloatArray:
        points = points_mm.reshape(-1, 3)
        local = (points - self.centre) @ self.rotation
        low, high = self.ends[0, :, 1].min() - 1, self.ends[1, :, 1].max() + 1
        near = (local[:, 2] > low) & (local[:, 2] < high)
        before, behind = self._knots(local[near])
        old, new = (before, behind) if after else (behind, before)
        moved = points.copy()
        shift = _piecewise(local[near, 2], old, new)
        moved[near] += shift[:, None] * self.rotation[:, 2]
        return np.asarray(moved.reshape(points_mm.shape))

    def _knots(self, local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places c of the knots before and after, (knots, n) each, for points (n, 3)."""
        u, w, c = local.T
        closed = self._closed(u, w, c)
        loss = closed + self._widened(u, w)
        share = self.deformation.superior_share
        last, total = np.interp(u, *self.ends[0].T), len(self.bodies)
        before, moved, shift = [], [], np.zeros_like(u)
        for index, lines in enumerate(self.bodies):
            superior, inferior = (np.interp(u, *line.T) for line in lines)
            top = share * closed * (index + 1) / (self.at + 1)
            bottom = top
            if index > self.at:
                top = bottom = (share - 1) * closed * (total - index) / (total - self.at)
            if index == self.at:
                top, bottom = share * loss, (share - 1) * loss
            before += _disc(last, superior)
            moved += [shift, top]
            if index == self.at:
                inside = np.minimum(BAND_INSIDE_MM, BAND_SHARE * (inferior - superior - loss))
                before += [superior + inside, inferior - inside]
                moved += [top, bottom]
            last, shift = inferior, bottom
        before += _disc(last, np.interp(u, *self.ends[1].T))
        moved += [shift, np.zeros_like(u)]
        return np.stack(before), np.stack(before) + np.stack(moved)

    def _widened(self, u: FloatArray, w: FloatArray) -> FloatArray:
        """Height of columns (u, w) that the discs beside the body take up, mm."""
        front, _, back = self._wall
        half_width = HALF_WIDTH * (back - front)
        near = _fade(np.abs(w) - half_width) * _fade(front - u) * _fade(u - back)
        return np.asarray(self.loss_mm * self._profile(u) * (1 - self._closing) * near)

    def _closed(self, u: FloatArray, w: FloatArray, c: FloatArray) -> FloatArray:
        """Height that the neighbours close up, mm: what lies near the spine moves as one."""
        axis_u, axis_w = (np.interp(c, self.axis[:, 2], self.axis[:, k]) for k in (0, 1))
        far = _fade(np.hypot(u - axis_u, w - axis_w) - RIGID_MM, RIGID_FADE_MM)
        return np.asarray(self.loss_mm * self._profile(u) * self._closing * far)

    @property
    def _wall(self) -> FloatArray:
        """u of the front, the middle and the back of the body, (3,)."""
        return np.asarray(self.bodies[self.at, :, :, 0].mean(0))

    def _profile(self, u: FloatArray) -> FloatArray:
        """Share of the loss at u, from the front to the back of the body."""
        front, middle, back = self._wall
        along = np.clip((u - front) / (back - front), 0, 1)
        if self.deformation.kind == UNIFORM:
            return np.ones_like(u)
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
    local = (keypoints_mm - centre) @ rotation
    first, last = max(0, index - NEIGHBOURS), min(len(local), index + NEIGHBOURS + 1)
    bodies = np.swapaxes(local[first:last], 1, 2)[..., [0, 2]]
    still = np.stack([_end(local, first - 1, bodies[0, 0]), _end(local, last, bodies[-1, 1])])
    axis = local[first:last].mean((1, 2))
    most = float(heights_mm(points).min() - LEFT_MM)

    def of_loss(loss_mm: float) -> Warp:
        at = index - first
        return Warp(centre, rotation, bodies, at, still, axis, deformation, loss_mm)

    def excess(loss_mm: float) -> float:
        return _left(points, of_loss(loss_mm)) - deformation.ratio

    if most <= 0 or excess(0.0) <= 0 or excess(most) >= 0:
        raise GeometryError(f"a body of {heights_mm(points)} mm cannot become {deformation}")
    return of_loss(float(brentq(excess, 0.0, most, xtol=1e-3)))


def _left(points: FloatArray, warp: Warp) -> float:
    """Remainder of a body after a warp: the height ratio, of a uniform crush the share of
    height.
    """
    after = heights_mm(warp.forward(points))
    if warp.deformation.kind == UNIFORM:
        return float(after.mean() / heights_mm(points).mean())
    return height_ratio(after)


def _end(local: FloatArray, beyond: int, own: FloatArray) -> FloatArray:
    """Line (3, 2) that stays: the body beyond, or the far side of an assumed disc."""
    if 0 <= beyond < len(local):
        side = 1 if local[beyond, ..., 2].mean() < own[:, 1].mean() else 0
        return np.asarray(local[beyond][:, side][:, [0, 2]])
    outward = -1 if beyond < 0 else 1
    return np.asarray(own + np.array([0.0, outward * OPEN_DISC_MM]))


def _disc(above: FloatArray, below: FloatArray) -> list[FloatArray]:
    """Two knots in the disc between two lines: what lies beyond each moves with its endplate."""
    high = np.minimum(above, below - THINNEST_DISC_MM)
    return [high + DISC_SHARE * (below - high), below - DISC_SHARE * (below - high)]


def _piecewise(c: FloatArray, old: FloatArray, new: FloatArray) -> FloatArray:
    """Shift of c when knots (knots, n) go from old to new: straight pieces, still beyond."""
    moved = new - old
    shift = np.zeros_like(c)
    for i in range(len(old) - 1):
        inside = (c >= old[i]) & (c < old[i + 1])
        part = (c - old[i]) / np.maximum(old[i + 1] - old[i], 1e-6)
        shift = np.where(inside, moved[i] + part * (moved[i + 1] - moved[i]), shift)
    return np.asarray(shift)


def _fade(beyond_mm: FloatArray, width_mm: float = FADE_MM) -> FloatArray:
    """1 inside, falling smoothly to 0 at ``width_mm`` beyond a wall."""
    part = np.clip(beyond_mm / width_mm, 0, 1)
    return np.asarray(1 - part * part * (3 - 2 * part))
