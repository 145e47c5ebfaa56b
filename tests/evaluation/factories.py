"""Spines made of boxes, and an analyzer that answers from memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.evaluation.cases import Body, Reading
from vfnode.evaluation.results import CaseResult, Pair
from vfnode.spine.curve import SpineCurve
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume

DEPTH_MM, HEIGHT_MM, PITCH_MM = 20.0, 20.0, 25.0


def box(z_mm: float = 0.0, heights_mm: tuple[float, float, float] = (20.0, 20.0, 20.0)):
    """Keypoints (3, 2, 3) of an upright body whose middle lies at (0, 0, z)."""
    y_mm = np.array([-DEPTH_MM / 2, 0.0, DEPTH_MM / 2])
    half = np.array(heights_mm) / 2
    superior = np.stack([0 * y_mm, y_mm, z_mm + half], 1)
    inferior = np.stack([0 * y_mm, y_mm, z_mm - half], 1)
    return np.stack([superior, inferior], 1)


def body(z_mm: float = 0.0, ratio: float = 1.0, level: str = "T8", group: str = "") -> Body:
    """A wedge of the given height ratio."""
    return Body.of_keypoints(box(z_mm, (20.0 * ratio, 20.0, 20.0)), level, group)


def column(*ratios: float) -> Reading:
    """Wedges 25 mm apart, cranial to caudal, and the line through them."""
    places = [-PITCH_MM * i for i in range(len(ratios))]
    bodies = tuple(
        body(z, ratio, f"T{i + 4}") for i, (z, ratio) in enumerate(zip(places, ratios, strict=True))
    )
    return Reading(bodies, np.array([[0.0, 0.0, places[0] + 10], [0.0, 0.0, places[-1] - 10]]))


def result(*ratios: tuple[float, float | None], patient: str = "A") -> CaseResult:
    """Bodies of (true, found) ratios; None was missed."""
    pairs = tuple(
        Pair(body(ratio=true), body(ratio=found)) for true, found in ratios if found is not None
    )
    missed = tuple(body(ratio=true) for true, found in ratios if found is None)
    return CaseResult("case", patient, pairs, missed, ())


def empty_volume() -> CTVolume:
    """Soft tissue: 40 slices of 2 mm, axes in canonical order."""
    affine = np.array([[0, 0, 5.0, -50], [0, 5.0, 0, -50], [-2.0, 0, 0, 20], [0, 0, 0, 1.0]])
    return CTVolume(np.zeros((40, 21, 21), np.int16), affine)


@dataclass(frozen=True)
class Remembered:
    """Answers every volume with the same reading."""

    reading: Reading
    uncertainty_mm: float = 0.5

    def analyze(self, volume: CTVolume) -> Analysis:  # noqa: ARG002 - the role asks for it
        findings = tuple(
            VertebraFinding(
                level=VertebralLevel(one.level),
                level_confidence=1.0,
                objectness=1.0,
                keypoints_patient_mm=one.keypoints_mm,
                keypoints_sagittal_mm=np.zeros((3, 2, 2)),
                uncertainty_mm=np.full(3, self.uncertainty_mm),
                withheld=None if one.complete else Reason.CUT_VERTEBRA,
            )
            for one in self.reading.bodies
            if one.keypoints_mm is not None
        )
        curve = self.reading.curve_mm
        spine = None if curve is None else SpineCurve.from_points(curve)
        return Analysis(FractureReport((), spine, findings), None)
