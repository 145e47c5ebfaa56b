"""Bodies of real CT cut in their own frame, as inference cuts them: the second look's data."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from vfnode.errors import TrainingError
from vfnode.inference.refine_keypoints import BodyPlanes, crop_frames, slab_in_planes
from vfnode.networks.keypoint_refiner import CROP_PX
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.volume import CTVolume, FloatArray
from vfnode.training.keypoints.batches import (
    CROP_GRID,
    OFF_TARGET,
    BodyCrop,
    body_height,
    disturbed,
    facing,
    off_target,
)
from vfnode.training.site_arrays import inside_hexagon, keep, varied
from vfnode.training.site_data import ReadCT, ReadSpine, SiteData

LOOKS = 2  #: planes a body: the read one, and one as wrong as a detector's
STEP_MM = 0.5
SIDE_PX = 297  #: of the cut: a lumbar crop, turned, enlarged and shifted, fits in
_TURN_DEGREES = 4.0  #: standard deviation of a wrong plane's direction
_ASIDE_MM = 1.0  #: and of its place
_MIDDLE = (SIDE_PX - 1) / 2


@dataclass(frozen=True)
class SiteBodies:
    """Cuts of all bodies that are trained on."""

    hu: np.ndarray  #: (n, SIDE_PX, SIDE_PX) int16, STEP_MM; the body's centre in the middle
    keypoints_mm: np.ndarray  #: (n, 3, 3, 2, 2) above, this, below; NaN where not read

    @classmethod
    def prepared(cls, work: Path, site: SiteData) -> "SiteBodies":
        """Cut what the work folder lacks; safe to interrupt and repeat.

        Raises:
            TrainingError: no CT has a body with six keypoints.
        """
        cuts = [_cached(work, ct) for ct in site.cases]
        found = cls(
            np.concatenate([c.hu for c in cuts]), np.concatenate([c.keypoints_mm for c in cuts])
        )
        if len(found.hu) == 0:
            raise TrainingError(f"no whole body with six keypoints in {', '.join(site.datasets)}")
        return found

    def random_crop(self, rng: np.random.Generator) -> BodyCrop:
        """A random body in a disturbed frame, varied."""
        index = int(rng.integers(len(self.hu)))
        bodies = self.keypoints_mm[index]
        truth = bodies[1]
        frame = disturbed(rng, crop_frames(truth[None]), body_height(truth))
        is_body = bool(rng.random() >= OFF_TARGET)
        if not is_body:
            frame = off_target(rng, frame, truth)
        places = frame.to_plane(CROP_GRID[None])[0]
        pixels = np.moveaxis(places[..., ::-1] / STEP_MM + _MIDDLE, -1, 0)
        image = self.hu[index].astype(np.float32)
        hu = map_coordinates(image, pixels, order=1, mode="nearest", prefilter=False)
        known = np.isfinite(bodies).all((1, 2, 3))
        masks = [inside_hexagon(body, places) for body in bodies[known]]
        this = inside_hexagon(truth, places) if is_body else np.zeros((CROP_PX, CROP_PX), bool)
        return BodyCrop(
            varied(rng, hu),
            frame.to_pixels(truth[None])[0],
            frame.to_pixels(facing(bodies)[None])[0],
            np.stack([this, np.any(masks, 0)]).astype(np.float32),
            is_body,
            float(frame.pixel_mm[0]),
            (True, bool(known.all())),
        )


def _cached(work: Path, ct: ReadCT) -> SiteBodies:
    path = ct.cache_path(work, "bodies")
    if not path.exists():
        cut = body_cuts(ct.load(), ct.rng())
        keep(path, {"hu": cut.hu, "keypoints": cut.keypoints_mm})
    with np.load(path) as stored:
        return SiteBodies(stored["hu"], stored["keypoints"])


def body_cuts(spine: ReadSpine, rng: np.random.Generator) -> SiteBodies:
    """Cut every read body of a CT in its own plane, and in a wrong one."""
    volume = spine.volume.canonical()
    none = np.full((1, 3, 2, 3), np.nan)
    column = np.concatenate([none, spine.keypoints_mm.reshape(-1, 3, 2, 3), none])
    images, points = [], []
    for index in range(1, len(column) - 1):
        left = body_rotation(column[index])[:, 1]
        for turn in range(LOOKS):
            plane = BodyPlanes.through(column[index][None], left[None])
            if turn > 0:
                plane = _wrong(plane, column[index], rng)
            images.append(_cut(volume, plane))
            points.append(_in_plane(plane, column[index - 1 : index + 2]))
    hu = np.array(images, np.int16).reshape(-1, SIDE_PX, SIDE_PX)
    return SiteBodies(hu, np.array(points, float).reshape(-1, 3, 3, 2, 2))


def _wrong(plane: BodyPlanes, body_mm: FloatArray, rng: np.random.Generator) -> BodyPlanes:
    """The plane as a detector's errors would have laid it."""
    tilt = np.tan(np.radians(rng.normal(0, _TURN_DEGREES, 2)))
    left = plane.left + tilt[0] * plane.posterior + tilt[1] * plane.caudal
    turned = BodyPlanes.through(body_mm[None], left)
    return replace(turned, origin=turned.origin + rng.normal(0, _ASIDE_MM) * turned.left)


def _cut(volume: CTVolume, plane: BodyPlanes) -> np.ndarray:
    line = (np.arange(SIDE_PX) - _MIDDLE) * STEP_MM
    grid = np.stack(np.meshgrid(line, line), -1)[None]
    return np.asarray(np.clip(np.rint(slab_in_planes(volume, plane, grid)[0]), -1024, 3071))


def _in_plane(plane: BodyPlanes, bodies_mm: FloatArray) -> np.ndarray:
    """Keypoints (n, 3, 2, 3) of several bodies in the plane of one, (n, 3, 2, 2)."""
    return np.concatenate([plane.to_plane(body[None]) for body in bodies_mm])
