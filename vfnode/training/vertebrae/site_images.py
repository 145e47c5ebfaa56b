"""Real CT straightened along the read curve, as inference does it: the detector's own data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vfnode.errors import TrainingError
from vfnode.spine.curve import SpineCurve
from vfnode.spine.curve_through import curve_through
from vfnode.spine.straighten import straighten
from vfnode.spine.volume import FloatArray
from vfnode.training.site_arrays import inside_hexagon, keep, varied
from vfnode.training.site_data import ReadCT, ReadSpine, SiteData
from vfnode.training.synthetic.plane.degrade import AIR_HU
from vfnode.training.vertebrae.batches import BEYOND_HU, Crop, random_placement

LOOKS = 3  #: images a CT: along the read curve, and along curves as wrong as a localiser's
_CURVE_ERROR_MM = 1.0  #: root mean square of the wrong ones, up to twice
_BENDS_MM = 25.0  #: a localiser's errors keep their sign over about so much
_BEYOND_MM = 24.0  #: the curve goes on straight beyond the read part
_MARGIN_PX = 2.0  #: rows known beyond the outermost read points
_STAND_IN_PX = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 1.0], indexing="ij"), -1)
_FEWEST_CENTRES = 2  #: that a curve can run through


@dataclass(frozen=True)
class SagittalLook:
    """One straightened image with its truth; 1 mm pixels."""

    hu: np.ndarray  #: (rows, columns) int16
    keypoints_px: np.ndarray  #: (n, 3, 2, 2) (x, z)
    unread_px: np.ndarray  #: (m, 2) centres of bodies without keypoints

    @property
    def known_rows(self) -> tuple[float, float]:
        """First and last row of the part that was read."""
        rows = self.keypoints_px[..., 1]
        return float(rows.min()) - _MARGIN_PX, float(rows.max()) + _MARGIN_PX


@dataclass(frozen=True)
class SiteImages:
    """Straightened images of all CT that are trained on."""

    looks: tuple[SagittalLook, ...]

    @classmethod
    def prepared(cls, work: Path, site: SiteData) -> "SiteImages":
        """Straighten what the work folder lacks; safe to interrupt and repeat.

        Raises:
            TrainingError: no CT has a body with six keypoints.
        """
        looks = tuple(look for ct in site.cases for look in _cached(work, ct))
        if not looks:
            raise TrainingError(f"no whole body with six keypoints in {', '.join(site.datasets)}")
        return cls(looks)

    def random_crop(self, rng: np.random.Generator, shape: tuple[int, int]) -> Crop:
        """A random part of a random image, scaled, turned, sheared and varied."""
        look = self.looks[int(rng.integers(len(self.looks)))]
        placed = random_placement(rng, look.hu.shape, shape)
        hu = placed.cut(look.hu.astype(np.float32), 1, BEYOND_HU)
        shown = hu > BEYOND_HU / 2
        keypoints = placed.points(look.keypoints_px)
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1)
        labels = np.zeros(shape, np.uint8)
        for index, body in enumerate(keypoints):
            labels[inside_hexagon(body, grid)] = index + 1
        rows = np.broadcast_to(np.arange(len(look.hu))[:, None], look.hu.shape)
        first, last = look.known_rows
        known = placed.cut(((rows >= first) & (rows <= last)).astype(np.uint8), 0, 0) > 0
        # Stand-ins of 2 px: only their centres matter.
        unread = placed.points(look.unread_px)[:, None, None] + _STAND_IN_PX
        ignored = tuple(range(len(keypoints), len(keypoints) + len(unread)))
        worn = np.where(shown, varied(rng, np.maximum(hu, AIR_HU)), AIR_HU).astype(np.float32)
        return Crop(worn, labels, np.concatenate([keypoints, unread]), shown, ignored, ~known)


def _cached(work: Path, ct: ReadCT) -> tuple[SagittalLook, ...]:
    """The images of one CT; none where it has no whole body."""
    path = ct.cache_path(work, "sagittal")
    if not path.exists():
        content: dict[str, np.ndarray] = {}
        for turn, look in enumerate(sagittal_looks(ct.load(), ct.rng())):
            content[f"{turn}-hu"] = look.hu
            content[f"{turn}-keypoints"] = look.keypoints_px
            content[f"{turn}-unread"] = look.unread_px
        keep(path, content)
    with np.load(path) as stored:
        return tuple(
            SagittalLook(*(stored[f"{turn}-{part}"] for part in ("hu", "keypoints", "unread")))
            for turn in range(len(stored.files) // 3)
        )


def sagittal_looks(spine: ReadSpine, rng: np.random.Generator) -> tuple[SagittalLook, ...]:
    """Straighten a CT along the read curve, and along wrong ones."""
    if len(spine.keypoints_mm) == 0:
        return ()
    volume, curve = spine.volume.canonical(), read_curve(spine)
    looks = []
    for turn in range(LOOKS):
        image = straighten(volume, curve if turn == 0 else _disturbed(curve, rng))
        looks.append(
            SagittalLook(
                np.clip(np.rint(image.hu), -1024, 3071).astype(np.int16),
                image.to_sagittal(spine.keypoints_mm) / image.step_mm,
                image.to_sagittal(spine.unread_mm.reshape(-1, 3)) / image.step_mm,
            )
        )
    return tuple(looks)


def read_curve(spine: ReadSpine) -> SpineCurve:
    """The read curve pulled through the read bodies as inference does it, longer at both ends."""
    centres = spine.keypoints_mm.mean((1, 2))
    if spine.curve_mm is not None:
        points = np.asarray(spine.curve_mm[np.argsort(-spine.curve_mm[:, 2])], float)
    elif len(centres) >= _FEWEST_CENTRES:
        points = centres
    else:
        points = spine.keypoints_mm.mean(1).reshape(-1, 3)  # middles of the endplates
    pulled = curve_through(SpineCurve.from_points(points), spine.keypoints_mm)
    return _longer(pulled)


def _longer(curve: SpineCurve) -> SpineCurve:
    tangents = curve.tangents()
    steps = np.arange(curve.step_mm, _BEYOND_MM + curve.step_mm / 2, curve.step_mm)[:, None]
    above = curve.points_mm[0] - steps[::-1] * tangents[0]
    below = curve.points_mm[-1] + steps * tangents[-1]
    return SpineCurve(np.concatenate([above, curve.points_mm, below]), curve.step_mm)


def _disturbed(curve: SpineCurve, rng: np.random.Generator) -> SpineCurve:
    """Smooth errors across, as a localiser makes them."""
    noise: FloatArray = gaussian_filter1d(
        rng.standard_normal((len(curve.points_mm), 2)), _BENDS_MM / curve.step_mm, axis=0
    )
    noise *= _CURVE_ERROR_MM * rng.uniform(0, 2) / max(float(noise.std()), 1e-6)
    across = np.column_stack([noise, np.zeros(len(noise))])
    return SpineCurve(curve.points_mm + across, curve.step_mm)
