"""Frames in which every vertebral body stays rigid, so that a ruler on the picture is true.

Straightening along a smooth curve stretches what lies beside it: in kyphosis anterior heights
come out up to 1.6 mm long. Here the frame stands still over each body, taken from its six
keypoints, and turns only in the discs: lengths inside a body are those of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation, Slerp

from vfnode.spine.curve import SpineCurve
from vfnode.spine.volume import FloatArray

DISC_MIN_MM = 1.0  #: rows left between two rigid bodies, for the frame to turn in
MARGIN_MM = 0.5  #: a body is rigid to this far beyond its points: no row of theirs is half turned
END_STATION_MM = 10.0  #: beyond the outermost bodies the frame follows the curve in such steps


@dataclass(frozen=True)
class _Station:
    """A place along the spine with a known frame."""

    origin: FloatArray  #: (3,) LPS mm
    rotation: FloatArray  #: (3, 3) columns posterior, left, caudal

    @property
    def caudal(self) -> FloatArray:
        caudal: FloatArray = self.rotation[:, 2]
        return caudal


def rigid_body_frames(
    curve: SpineCurve, keypoints_patient_mm: FloatArray, step_mm: float
) -> FloatArray:
    """Frames (N, 4, 4), one a row of ``step_mm``: constant over each body, turning in the discs.

    Args:
        curve: the spine; used beyond the outermost bodies.
        keypoints_patient_mm: (n, 3, 2, 3) LPS, cranial to caudal; n may be 0.
        step_mm: distance of rows along the spine.
    """
    stations = _stations(curve, keypoints_patient_mm)
    origins = np.array([station.origin for station in stations])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(origins, axis=0), axis=1))])
    rows = np.arange(0.0, along[-1] + 1e-9, step_mm)
    # A station's chord is its parameter, so a unit tangent keeps bodies straight and to scale.
    path = CubicHermiteSpline(along, origins, np.array([s.caudal for s in stations]))
    turns = Slerp(along, Rotation.from_matrix(np.array([s.rotation for s in stations])))
    frames = np.zeros((len(rows), 4, 4))
    frames[:, :3, :3] = turns(rows).as_matrix()
    frames[:, :3, 3] = path(rows)
    frames[:, 3, 3] = 1.0
    return frames


def body_rotation(keypoints_patient_mm: FloatArray) -> FloatArray:
    """Columns posterior, left, caudal of one body (3, 2, 3): its own frame, (3, 3)."""
    caudal = (keypoints_patient_mm[:, 1] - keypoints_patient_mm[:, 0]).mean(0)
    caudal = caudal / np.linalg.norm(caudal)
    posterior = keypoints_patient_mm[2].mean(0) - keypoints_patient_mm[0].mean(0)
    left = np.cross(caudal, posterior)
    left = left / np.linalg.norm(left)
    return np.stack([np.cross(left, caudal), left, caudal], 1)


def _stations(curve: SpineCurve, bodies: FloatArray) -> list[_Station]:
    ends = _curve_stations(curve)
    if len(bodies) == 0:
        return ends
    pairs = [_body_stations(points) for points in bodies]
    inner: list[_Station] = []
    for upper, lower in _with_discs(pairs):
        inner += [upper, lower]
    above = [s for s in ends if (inner[0].origin - s.origin) @ inner[0].caudal > END_STATION_MM]
    below = [s for s in ends if (s.origin - inner[-1].origin) @ inner[-1].caudal > END_STATION_MM]
    return above + inner + below


def _curve_stations(curve: SpineCurve) -> list[_Station]:
    every = max(1, round(END_STATION_MM / curve.step_mm))
    last = len(curve.points_mm) - 1
    chosen = sorted({*range(0, last + 1, every), last})
    frames = curve.frames()
    return [_Station(frames[i, :3, 3], frames[i, :3, :3]) for i in chosen]


def _body_stations(points: FloatArray) -> tuple[_Station, _Station]:
    """Upper and lower end of the stretch that holds all six points (3, 2, 3)."""
    rotation = body_rotation(points)
    centre = points.mean((0, 1))
    heights = (points.reshape(-1, 3) - centre) @ rotation[:, 2]
    return (
        _Station(centre + (heights.min() - MARGIN_MM) * rotation[:, 2], rotation),
        _Station(centre + (heights.max() + MARGIN_MM) * rotation[:, 2], rotation),
    )


def _with_discs(pairs: list[tuple[_Station, _Station]]) -> list[tuple[_Station, _Station]]:
    """Shorten neighbours that overlap, half each, until a disc is left between them."""
    pairs = list(pairs)
    for i in range(len(pairs) - 1):
        (upper, end), (start, lower) = pairs[i], pairs[i + 1]
        direction = end.caudal + start.caudal
        gap = float((start.origin - end.origin) @ direction / np.linalg.norm(direction))
        short = max(0.0, DISC_MIN_MM - gap) / 2
        pairs[i] = (upper, _Station(end.origin - short * end.caudal, end.rotation))
        pairs[i + 1] = (_Station(start.origin + short * start.caudal, start.rotation), lower)
    return pairs
