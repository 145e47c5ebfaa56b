"""Judgement of measured bodies: how exact, what they should be, who is graded, how probable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vfnode.errors import ModelError
from vfnode.inference.bodies import Bodies
from vfnode.inference.withhold import (
    OVERLAP_MM,
    level_reasons,
    overlap_mm,
    unreadable,
    withheld_reasons,
)
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.error_model import (
    BORDERLINE,
    DEVIATION,
    MOST_ERROR,
    ErrorModel,
    error_share,
    features_of,
    simulated_probability,
)
from vfnode.spine.expected_heights import Expectation, LevelProfile, expected_heights
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import heights_mm
from vfnode.spine.volume import CTVolume, FloatArray

T = TypeVar("T")
FOLDER = "judgement"  #: beside the networks
LEVELS_NAME, ERRORS_NAME = "levels.json", "errors.json"


@dataclass(frozen=True)
class Evidence:
    """All that the judgement of the n bodies of a spine rests on."""

    heights_mm: FloatArray  #: (n, 3)
    features: FloatArray  #: (n, 3, 4) of the error model
    expectations: tuple[Expectation | None, ...]
    hidden: tuple[Reason | None, ...]  #: what hides the endplates
    overlap: FloatArray  #: (n,) mm by which bodies reach into each other


@dataclass(frozen=True)
class Judgement:
    """Judgement of one body: its error, its expected size, its reason if it is withheld."""

    uncertainty_mm: FloatArray  #: (3,)
    expectation: Expectation | None
    withheld: Reason | None
    probability_moderate: float | None  #: None where the body is not graded

    @property
    def is_borderline(self) -> bool:
        """True if the moderate limit lies within the error."""
        low, high = BORDERLINE
        known = self.probability_moderate
        return known is not None and low < known < high


@dataclass(frozen=True)
class Judge:
    """Proportions of healthy spines, errors of measured heights, and the site's limits."""

    profile: LevelProfile
    errors: ErrorModel
    calibrated_with: str  #: sha256 of the second look that the errors were measured with
    limits: GenantLimits

    def judge(self, volume: CTVolume, bodies: Bodies) -> tuple[Judgement, ...]:
        """Judge every body of a spine."""
        evidence = self.evidence(volume, bodies)
        scale_mm = self.errors.scale_mm(evidence.features)
        share = error_share(
            self.errors, evidence.features, evidence.heights_mm, evidence.expectations
        )
        withheld = withheld_reasons(
            evidence.hidden,
            level_reasons(bodies.levels, self.limits),
            (share > MOST_ERROR) | (evidence.overlap > OVERLAP_MM),
        )
        simulated = [
            simulated_probability(heights, scale, expectation, self.limits)
            for heights, scale, expectation in zip(
                evidence.heights_mm, scale_mm, evidence.expectations, strict=True
            )
        ]
        probability = self.errors.probability(np.array(simulated))
        return tuple(
            Judgement(DEVIATION * scale, expectation, reason, None if reason else float(known))
            for scale, expectation, reason, known in zip(
                scale_mm, evidence.expectations, withheld, probability, strict=True
            )
        )

    def evidence(self, volume: CTVolume, bodies: Bodies) -> Evidence:
        """Heights, what they should be, and what their errors depend on."""
        heights = heights_mm(bodies.keypoints_mm)
        thickness = axial_thickness_mm(volume, bodies.keypoints_mm)
        hidden = tuple(unreadable(volume, bodies.keypoints_mm))
        alone = features_of(bodies.spread_mm, thickness, heights, (None,) * len(heights))
        expectations = expected_heights(
            self.profile,
            bodies.levels.likely,
            heights,
            DEVIATION * self.errors.scale_mm(alone),
            np.array([reason is None for reason in hidden], bool),
        )
        features = features_of(bodies.spread_mm, thickness, heights, expectations)
        overlap = overlap_mm(bodies.keypoints_mm)
        return Evidence(heights, features, expectations, hidden, overlap)


def axial_thickness_mm(volume: CTVolume, keypoints_mm: FloatArray) -> FloatArray:
    """Thickness (n,) of the voxels along the axis of each body (n, 3, 2, 3)."""
    spacing = volume.spacing_mm
    axes = np.array([body_rotation(points)[:, 2] for points in keypoints_mm]).reshape(-1, 3)
    return np.asarray(np.linalg.norm(axes @ (volume.affine[:3, :3] / spacing) * spacing, axis=1))


def load_judge(folders: tuple[Path, ...], limits: GenantLimits) -> Judge:
    """The judge of the first models folder that holds one.

    Raises:
        ModelError: no folder holds one, or its files are damaged.
    """
    for folder in folders:
        path = folder / FOLDER
        if path.is_dir():
            return Judge(read_profile(path), *read_errors(path), limits)
    raise ModelError(f"no {FOLDER} in {' or '.join(map(str, folders))}")


def read_profile(folder: Path) -> LevelProfile:
    """Proportions of healthy spines from a judgement folder."""
    return _parsed(folder / LEVELS_NAME, LevelProfile.from_dict)


def read_errors(folder: Path) -> tuple[ErrorModel, str]:
    """Error model from a judgement folder, and the sha256 of the second look that it is of."""
    return _parsed(
        folder / ERRORS_NAME, lambda data: (ErrorModel.from_dict(data), str(data["keypoints"]))
    )


def _parsed(path: Path, parse: Callable[[Mapping[str, Any]], T]) -> T:
    """A file of the judgement.

    Raises:
        ModelError: missing or of another form.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"cannot read {path}: {error}") from error
