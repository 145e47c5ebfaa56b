"""From a CT volume to a fracture report: the method of the paper, one step after the other.

Zakharov, Pisov et al., Med Image Anal 83 (2023): localise the spine, straighten along it,
detect bodies with six keypoints each, suppress, grade. Ours beyond it: one round back from the
bodies to the curve, and a second look at each body in its own frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel, load_bundle
from vfnode.inference.detect_vertebrae import detect_vertebrae
from vfnode.inference.localize_spine import localize_spine
from vfnode.inference.refine_keypoints import refine_keypoints
from vfnode.spine.body_aligned import body_aligned_image, body_rotation
from vfnode.spine.curve import SpineCurve
from vfnode.spine.foreign_material import foreign_material, metal_along
from vfnode.spine.genant import GenantLimits
from vfnode.spine.report import Analysis, FractureReport, ModelUsed, Reason, VertebraFinding
from vfnode.spine.straighten import StraightenedSagittal, straighten
from vfnode.spine.vertebra import Vertebra, VertebralLevel
from vfnode.spine.volume import CTVolume, FloatArray

BORDER_MM = 0.5  #: a keypoint this near the border of the volume belongs to a cut body
MIN_OBJECTNESS = 0.5  #: of the second look: below it the crop shows no body
OFF_CURVE_MM = 20.0  #: a body's centre lies nearer to the curve than this
FEWEST_BODIES = 3  #: that say more about the curve than the localiser's ends do
END_STEP_MM = 12.0  #: half a vertebra: nearer points beside a body would bend the curve
THICK_SLICE_MM = 3.0
STAGES = ("localize", "straighten", "detect", "refine", "picture")

OnStage = Callable[[str], None]
Stages = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class _Bodies:
    """Bodies in the patient, cranial to caudal; n may be 0."""

    keypoints_mm: FloatArray  #: (n, 3, 2, 3) LPS
    objectness: FloatArray  #: (n,)
    uncertainty_mm: FloatArray  #: (n,)

    def keep(self, chosen: np.ndarray) -> _Bodies:
        return _Bodies(
            self.keypoints_mm[chosen], self.objectness[chosen], self.uncertainty_mm[chosen]
        )


@dataclass(frozen=True)
class Pipeline:
    """The three networks, loaded once, and the site's limits."""

    spine_model: LoadedModel
    vertebrae_model: LoadedModel
    keypoints_model: LoadedModel
    device: str
    limits: GenantLimits

    def analyze(self, volume: CTVolume, on_stage: OnStage = lambda _: None) -> Analysis:
        """Measure every vertebral body of one CT.

        Args:
            volume: any orientation, any spacing.
            on_stage: told the name of each step of ``STAGES`` as it begins.

        Returns:
            The report and its picture; unsuitable input gives a report with a reason.
        """
        timing: dict[str, float] = {}
        stage = _stages(timing, on_stage)
        canonical = volume.canonical()
        try:
            with stage("localize"):
                curve = localize_spine(canonical, self.spine_model, self.device)
            bodies, curve = self._find_bodies(canonical, curve, stage)
        except NotEvaluableError as error:
            reason = Reason.from_code(error.code)
            if reason is Reason.NO_VERTEBRA and metal_along(canonical, curve):
                reason = Reason.METAL
            return Analysis(self._refusal(reason, timing), None)
        with stage("picture"):
            sagittal, drawn = body_aligned_image(canonical, curve, bodies.keypoints_mm)
        findings = self._findings(canonical, bodies, drawn)
        report = FractureReport(
            models=self._models,
            spine=curve,
            vertebrae=findings,
            quality=_quality(canonical, findings),
            limits=self.limits,
            timing_s=timing,
        )
        return Analysis(report, sagittal)

    def _find_bodies(
        self, volume: CTVolume, curve: SpineCurve, stage: Stages
    ) -> tuple[_Bodies, SpineCurve]:
        """Detect, go once back to the curve, detect again, and look twice at each body."""
        with stage("straighten"):
            sagittal = straighten(volume, curve)
        with stage("detect"):
            found = self._detect(sagittal)
        curve = curve_through(curve, _in_patient(sagittal, found))
        with stage("straighten"):
            sagittal = straighten(volume, curve)
        with stage("detect"):
            found = self._detect(sagittal)
        with stage("refine"):
            bodies = self._refine(volume, sagittal, found)
        if len(bodies.keypoints_mm) == 0:
            raise NotEvaluableError(Reason.NO_VERTEBRA.code, "the second look kept no body")
        return bodies, curve_through(curve, bodies.keypoints_mm)

    def _detect(self, sagittal: StraightenedSagittal) -> tuple[Vertebra, ...]:
        found = tuple(
            vertebra
            for vertebra in detect_vertebrae(sagittal, self.vertebrae_model, self.device)
            if abs(vertebra.centre[0] - sagittal.curve_x_mm) <= OFF_CURVE_MM
        )
        if not found:
            raise NotEvaluableError(Reason.NO_VERTEBRA.code, "the detector found no body")
        return found

    def _refine(
        self, volume: CTVolume, sagittal: StraightenedSagittal, found: tuple[Vertebra, ...]
    ) -> _Bodies:
        first = _in_patient(sagittal, found)
        left = np.array([body_rotation(points)[:, 1] for points in first])
        points, spread_mm, objectness = refine_keypoints(
            volume, first, left, self.keypoints_model, self.device
        )
        score = np.array([vertebra.score for vertebra in found])
        return _Bodies(points, score, spread_mm).keep(objectness >= MIN_OBJECTNESS)

    def _findings(
        self, volume: CTVolume, bodies: _Bodies, drawn: FloatArray
    ) -> tuple[VertebraFinding, ...]:
        withheld = _withheld(volume, bodies.keypoints_mm)
        return tuple(
            VertebraFinding(
                level=VertebralLevel("unknown"),
                level_confidence=0.0,
                objectness=float(bodies.objectness[i]),
                keypoints_patient_mm=bodies.keypoints_mm[i],
                keypoints_sagittal_mm=drawn[i],
                uncertainty_mm=float(bodies.uncertainty_mm[i]),
                withheld=withheld[i],
                limits=self.limits,
            )
            for i in range(len(drawn))
        )

    def _refusal(self, reason: Reason, timing: dict[str, float]) -> FractureReport:
        return FractureReport(
            self._models, None, (), reason=reason, limits=self.limits, timing_s=timing
        )

    @property
    def _models(self) -> tuple[ModelUsed, ...]:
        loaded = (self.spine_model, self.vertebrae_model, self.keypoints_model)
        return tuple(
            ModelUsed(model.manifest.name, model.manifest.sha256, model.manifest.role)
            for model in loaded
        )


def load_pipeline(
    models_dir: Path, device: str = "auto", limits: GenantLimits | None = None
) -> Pipeline:
    """Load the shipped models.

    Args:
        models_dir: folder with ``spine``, ``vertebrae`` and ``keypoints``.
        device: ``cpu``, ``cuda`` or ``auto`` (CUDA where there is one).

    Raises:
        ModelError: a bundle is missing or damaged.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    spine, vertebrae, keypoints = (
        load_bundle(models_dir / name, device) for name in ("spine", "vertebrae", "keypoints")
    )
    return Pipeline(spine, vertebrae, keypoints, device, limits or GenantLimits())


def curve_through(curve: SpineCurve, keypoints_mm: FloatArray) -> SpineCurve:
    """Pull a curve through measured bodies (n, 3, 2, 3), LPS mm, cranial to caudal.

    Through their centres where there are three or more, else through the middles of their
    endplates. Beyond the outermost bodies the curve keeps its course, shifted to join on;
    by fewer than three bodies it goes straight on, as in a small crop nothing else is known.
    """
    if len(keypoints_mm) == 0:
        return curve
    few = len(keypoints_mm) < FEWEST_BODIES
    middles = keypoints_mm.mean(1).reshape(-1, 3)  # superior, inferior, superior, ...
    nodes = middles if few else keypoints_mm.mean((1, 2))
    above, below = _ends(curve, nodes)
    if few:
        above, below = _straight_on(nodes[::-1], len(above)), _straight_on(nodes, len(below))
    parts = [above[::-1], nodes, below]
    return SpineCurve.from_points(np.concatenate(parts), curve.step_mm)


def _ends(curve: SpineCurve, nodes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of the curve above and below the nodes, every ``END_STEP_MM``, nearest first."""
    points, caudal = curve.points_mm, curve.tangents()
    above = points[np.sum((nodes[0] - points) * caudal, 1) > END_STEP_MM][::-1]
    below = points[np.sum((points - nodes[-1]) * caudal, 1) > END_STEP_MM]
    every = max(1, round(END_STEP_MM / curve.step_mm))
    return (_joined(above[::every], curve, nodes[0]), _joined(below[::every], curve, nodes[-1]))


def _joined(end: FloatArray, curve: SpineCurve, node: FloatArray) -> FloatArray:
    """Shift the points of one end, nearest first, by the offset of ``node`` to the curve."""
    nearest = curve.points_mm[np.linalg.norm(curve.points_mm - node, axis=1).argmin()]
    fading = np.clip(1.0 - np.arange(len(end)) / 4.0, 0.0, 1.0)[:, None]
    shifted: FloatArray = end + fading * (node - nearest)
    return shifted


def _straight_on(nodes: FloatArray, count: int) -> FloatArray:
    """``count`` points beyond the last node, along the last two."""
    direction = (nodes[-1] - nodes[-2]) / np.linalg.norm(nodes[-1] - nodes[-2])
    beyond: FloatArray = nodes[-1] + END_STEP_MM * np.arange(1, count + 1)[:, None] * direction
    return beyond


def _inside(volume: CTVolume, keypoints_mm: FloatArray) -> np.ndarray:
    """Which bodies (n, 3, 2, 3) lie inside the volume with all six points; (n,) bool."""
    margin = np.maximum(BORDER_MM / volume.spacing_mm, 0.5)
    voxels = volume.to_voxel(keypoints_mm)
    last = np.array(volume.hu.shape) - 1
    inside = (voxels >= margin) & (voxels <= last - margin)
    return np.asarray(np.all(inside, axis=(1, 2, 3)))


def _withheld(volume: CTVolume, keypoints_mm: FloatArray) -> list[Reason | None]:
    """Why each body (n, 3, 2, 3) is not graded, if it is not; the border comes first."""
    materials = foreign_material(volume, keypoints_mm)
    return [
        material if inside else Reason.CUT_VERTEBRA
        for inside, material in zip(_inside(volume, keypoints_mm), materials, strict=True)
    ]


def _quality(volume: CTVolume, findings: tuple[VertebraFinding, ...]) -> tuple[Reason, ...]:
    """What limits the result, coded."""
    facts = {
        Reason.LEVEL_UNKNOWN: all(f.level is VertebralLevel("unknown") for f in findings),
        Reason.THICK_SLICES: max(volume.spacing_mm) > THICK_SLICE_MM,
        **{reason: True for reason in Reason if any(f.withheld is reason for f in findings)},
        Reason.NONE_GRADED: not any(f.is_graded for f in findings),
    }
    return tuple(reason for reason, holds in facts.items() if holds)


def _in_patient(sagittal: StraightenedSagittal, found: tuple[Vertebra, ...]) -> FloatArray:
    """Keypoints (n, 3, 2, 3) in LPS mm."""
    return sagittal.to_patient(np.array([vertebra.keypoints for vertebra in found]))


def _stages(timing: dict[str, float], on_stage: OnStage) -> Stages:
    """A context manager per stage that adds its wall time to ``timing``."""

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        on_stage(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            timing[name] = timing.get(name, 0.0) + time.perf_counter() - began

    return stage
