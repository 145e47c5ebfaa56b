"""Small synthetic inputs for tests: volumes, CT folders, reports with known heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series
from vfnode.dicom.reading.ct_series import CTSeries, read_ct_series
from vfnode.spine.curve import SpineCurve
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport, ModelUsed
from vfnode.spine.straighten import StraightenedSagittal, straighten
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume

CREATED = datetime(2026, 3, 4, 15, 16, 17)
MODELS = (
    ModelUsed("spine-localizer", "a1" * 32, "spine"),
    ModelUsed("vertebra-detector", "b2" * 32, "vertebrae"),
)
#: Body centres lie this far apart along the spine, mm.
PITCH_MM = 25.0
#: Of the bodies, front to back, mm.
DEPTH_MM = 30.0


@dataclass(frozen=True)
class Body:
    """One vertebra of a made-up report."""

    level: str = "unknown"
    heights_mm: tuple[float, float, float] = (20.0, 20.0, 20.0)
    withheld: Reason | None = None


NORMAL = Body("T7", (20.0, 19.6, 21.0))
MILD = Body("T8", (16.4, 18.8, 21.0))  # 0.781
MODERATE = Body("T9", (14.0, 17.0, 20.0))  # 0.70
SEVERE = Body("T10", (20.0, 10.0, 21.0))  # 0.476
CUT = Body("T11", (20.0, 20.0, 20.0), withheld=Reason.CUT_VERTEBRA)


def make_volume(
    shape: tuple[int, int, int] = (60, 64, 48),
    spacing_mm: tuple[float, float, float] = (2.5, 1.5, 1.5),
) -> CTVolume:
    """A bright column with darker discs in soft tissue; k runs cranial to caudal."""
    k_mm, r_mm, c_mm = spacing_mm
    slices, rows, columns = shape
    affine = np.array(
        [[0, 0, c_mm, -c_mm * columns / 2], [0, r_mm, 0, -r_mm * rows / 2], [-k_mm, 0, 0, 100.0]]
    )
    k, r, c = np.ogrid[:slices, :rows, :columns]
    inside = ((r - rows / 2) * r_mm) ** 2 + ((c - columns / 2) * c_mm) ** 2 < (DEPTH_MM / 2) ** 2
    bone = np.where((k * k_mm) % PITCH_MM < PITCH_MM - 5, 400, 60)
    texture = (k * 7 + r * 5 + c * 3) % 11
    hu = (np.where(inside, bone, 20) + texture).astype(np.int16)
    return CTVolume(hu, np.vstack([affine, [0, 0, 0, 1]]))


def make_facts(**changes: object) -> CTSeriesFacts:
    """Header facts of a made-up CT."""
    facts = {
        "seed": "test",
        "acquired": datetime(2026, 1, 2, 3, 4, 5),
        "patient_name": "Test^Patient",
        "patient_id": "P-1",
        "patient_birth_date": "19500102",
        "patient_sex": "F",
        "accession_number": "A-1",
    }
    return CTSeriesFacts(**{**facts, **changes})  # type: ignore[arg-type]


def make_ct_folder(folder: Path, volume: CTVolume | None = None, **facts: object) -> list[Path]:
    """CT files of a volume, in the order of its slices."""
    return list(write_ct_series(volume or make_volume(), folder, make_facts(**facts)))


def make_series(folder: Path, volume: CTVolume | None = None, **facts: object) -> CTSeries:
    """A series written to ``folder`` and read back."""
    make_ct_folder(folder, volume, **facts)
    return read_ct_series([folder])[0]


def make_sagittal(length_mm: float = 140.0, volume: CTVolume | None = None) -> StraightenedSagittal:
    """The made-up volume straightened along a vertical line through its middle."""
    ends = np.array([[0.0, 0.0, 95.0], [0.0, 0.0, 95.0 - length_mm]])
    curve = SpineCurve.from_points(np.linspace(ends[0], ends[1], 20), 1.0)
    return straighten(volume or make_volume(), curve)


def make_finding(body: Body, sagittal: StraightenedSagittal, centre_mm: float) -> VertebraFinding:
    """A body whose segments are vertical, ``centre_mm`` below the cranial end."""
    x = sagittal.curve_x_mm + np.array([-DEPTH_MM / 2, 0.0, DEPTH_MM / 2])
    half = np.array(body.heights_mm) / 2
    points = np.stack(
        [np.stack([x, centre_mm - half], -1), np.stack([x, centre_mm + half], -1)], axis=1
    )
    known = body.level != "unknown"
    return VertebraFinding(
        level=VertebralLevel(body.level),
        level_confidence=0.93 if known else 0.0,
        objectness=0.98,
        keypoints_patient_mm=sagittal.to_patient(points),
        keypoints_sagittal_mm=points,
        uncertainty_mm=np.full(3, 0.6),
        withheld=body.withheld,
    )


def make_analysis(
    bodies: Sequence[Body] = (NORMAL, MILD, MODERATE, SEVERE, CUT),
    quality: tuple[Reason, ...] = (),
) -> Analysis:
    """A report on the made-up spine, one body every 25 mm."""
    sagittal = make_sagittal()
    findings = tuple(
        make_finding(body, sagittal, 15.0 + PITCH_MM * index) for index, body in enumerate(bodies)
    )
    line = SpineCurve(np.ascontiguousarray(sagittal.frames[:, :3, 3]), sagittal.step_mm)
    report = FractureReport(MODELS, line, findings, quality=quality, timing_s={"read": 0.5})
    return Analysis(report, sagittal)


def make_refusal(reason: Reason = Reason.NO_SPINE) -> Analysis:
    """An analysis that found nothing to measure."""
    return Analysis(FractureReport(MODELS, None, (), reason=reason), None)
