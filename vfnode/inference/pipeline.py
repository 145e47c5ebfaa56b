"""From a CT volume to a fracture report: the method of the paper, one step after the other.

Zakharov, Pisov et al., Med Image Anal 83 (2023): localise the spine, straighten along it,
detect bodies with six keypoints each, suppress, grade. Ours beyond it: one round back from the
bodies to the curve, a second look at each body in its own frame, and the names of the levels.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
import torch

from vfnode.errors import ModelError, NotEvaluableError
from vfnode.inference.bodies import UNKNOWN_LEVEL, Bodies, LevelNames
from vfnode.inference.bundle import ROLES, LoadedModel, load_bundle, models_dir
from vfnode.inference.detect_vertebrae import detect_vertebrae
from vfnode.inference.findings import SURE, findings_of, quality_of
from vfnode.inference.judge import Evidence, Judge, load_judge
from vfnode.inference.label_levels import label_levels
from vfnode.inference.plausible import localize_plausibly, plausible_notes
from vfnode.inference.refine_keypoints import LOOKS, refine_keypoints
from vfnode.inference.stages import OnStage, Stages, stages_of
from vfnode.spine.body_aligned import body_aligned_image
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.curve import SpineCurve
from vfnode.spine.curve_through import curve_through
from vfnode.spine.foreign_material import metal_along
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport, ModelUsed
from vfnode.spine.straighten import StraightenedSagittal, straighten
from vfnode.spine.vertebra import Vertebra
from vfnode.spine.volume import CTVolume, FloatArray

log = logging.getLogger(__name__)

MIN_OBJECTNESS = 0.5  #: of the second look: below it the crop shows no body
OFF_CURVE_MM = 20.0  #: a body's centre lies nearer to the curve than this
STAGES = ("localize", "straighten", "detect", "refine", "label", "picture")
SACRUM = "S1"  #: a name that is no vertebra: the detector took the sacrum for a body
GUESS = 0.4  #: below it no name is given


@dataclass(frozen=True)
class Pipeline:
    """The networks and the judge, loaded once."""

    spine_model: LoadedModel
    vertebrae_model: LoadedModel
    keypoints_model: LoadedModel
    levels_model: LoadedModel
    device: str
    judge: Judge
    looks: int = LOOKS  #: in each body's own frame; 0: the paper's method alone, for its figures

    def analyze(self, volume: CTVolume, on_stage: OnStage = lambda _: None) -> Analysis:
        """Measure every vertebral body of one CT.

        Args:
            volume: any orientation, any spacing.
            on_stage: told the name of each step of ``STAGES`` as it begins.

        Returns:
            The report and its picture; unsuitable input gives a report with a reason.
        """
        timing: dict[str, float] = {}
        stage = stages_of(timing, on_stage)
        canonical = volume.canonical()
        try:
            with stage("localize"):
                curve = localize_plausibly(canonical, self.spine_model, self.device)
            bodies, curve = self._find_bodies(canonical, curve, stage)
            with stage("label"):
                bodies = self._named(canonical, curve, bodies)
            notes = plausible_notes(canonical, bodies)
        except NotEvaluableError as error:
            log.info("not evaluated: %s", error)
            reason = Reason.from_code(error.code)
            if reason is Reason.NO_VERTEBRA and metal_along(canonical, curve):
                reason = Reason.METAL
            return Analysis(self._refusal(reason, timing), None)
        with stage("picture"):
            sagittal, drawn = body_aligned_image(canonical, curve, bodies.keypoints_mm)
        findings = findings_of(canonical, bodies, drawn, self.judge)
        report = FractureReport(
            models=self.models,
            spine=curve,
            vertebrae=findings,
            quality=(
                *quality_of(canonical, findings, self.judge.limits),
                *notes,
                *self._uncalibrated(),
            ),
            limits=self.judge.limits,
            timing_s=timing,
        )
        return Analysis(report, sagittal)

    def evidence(self, volume: CTVolume) -> tuple[Bodies, Evidence]:
        """Bodies of one CT, named, and all that their judgement rests on.

        Raises:
            NotEvaluableError: no spine, or no body.
        """
        canonical = volume.canonical()
        curve = localize_plausibly(canonical, self.spine_model, self.device)
        bodies, curve = self._find_bodies(canonical, curve, stages_of({}, lambda _: None))
        bodies = self._named(canonical, curve, bodies)
        return bodies, self.judge.evidence(canonical, bodies)

    def _find_bodies(
        self, volume: CTVolume, curve: SpineCurve, stage: Stages
    ) -> tuple[Bodies, SpineCurve]:
        """Detect, go once back to the curve, detect again, and look at each body by itself."""
        with stage("straighten"):
            sagittal = straighten(volume, curve)
        with stage("detect"):
            found = self._detect(sagittal)
        curve = curve_through(curve, _in_patient(sagittal, found))
        with stage("straighten"):
            sagittal = straighten(volume, curve)
        with stage("detect"):
            found = self._detect(sagittal)
        if self.looks == 0:
            return _first_look(sagittal, found), curve
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
    ) -> Bodies:
        first = _in_patient(sagittal, found)
        left = np.array([body_rotation(points)[:, 1] for points in first])
        points, spread_mm, objectness = refine_keypoints(
            volume, first, left, self.keypoints_model, self.device, self.looks
        )
        score = np.array([vertebra.score for vertebra in found])
        return Bodies(points, score, spread_mm).keep(
            (objectness >= MIN_OBJECTNESS) & np.isfinite(points).all((1, 2, 3))
        )

    def _named(self, volume: CTVolume, curve: SpineCurve, bodies: Bodies) -> Bodies:
        """The bodies with their levels; what is surely sacrum is left out."""
        named = label_levels(volume, curve, bodies.keypoints_mm, self.levels_model, self.device)
        sacral = np.array([name == SACRUM for name in named.names])
        kept = ~(sacral & (named.confidence >= SURE))
        if not kept.any():
            raise NotEvaluableError(Reason.NO_VERTEBRA.code, "nothing but sacrum was found")
        names = tuple(
            UNKNOWN_LEVEL if name == SACRUM or confidence < GUESS else name
            for name, confidence in zip(named.names, named.confidence, strict=True)
        )
        levels = LevelNames(
            tuple(compress(names, kept)),
            tuple(compress(named.names, kept)),
            tuple(compress(named.plausible, kept)),
            named.confidence[kept],
        )
        return replace(bodies.keep(kept), levels=levels)

    def _uncalibrated(self) -> tuple[Reason, ...]:
        """Said where the judge knows the errors of another second look than this one."""
        own = self.keypoints_model.manifest.sha256
        known = self.looks > 0 and own == self.judge.calibrated_with
        return () if known else (Reason.UNCALIBRATED,)

    def _refusal(self, reason: Reason, timing: dict[str, float]) -> FractureReport:
        return FractureReport(
            self.models, None, (), reason=reason, limits=self.judge.limits, timing_s=timing
        )

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """Sets of weights that have a part in every result."""
        loaded = [self.spine_model, self.vertebrae_model, self.levels_model]
        if self.looks:
            loaded.insert(2, self.keypoints_model)
        return tuple(
            ModelUsed(model.manifest.name, model.manifest.sha256, model.manifest.role)
            for model in loaded
        )


def load_pipeline(
    folder: Path,
    device: str = "auto",
    limits: GenantLimits | None = None,
    looks: int = LOOKS,
) -> Pipeline:
    """Load the shipped models.

    Args:
        folder: holds ``spine``, ``vertebrae``, ``keypoints`` and ``levels``, and may hold a
            ``judgement``; without it the shipped one judges.
        device: ``cpu``, ``cuda`` or ``auto`` (CUDA where there is one).
        limits: of the grades; those of the literature when None.
        looks: in each body's own frame; 0 leaves the points where the detector put them, as in
            the paper.

    Raises:
        ModelError: a bundle is missing, damaged or of another role, or there is no device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("there is no CUDA device that torch can use; choose cpu or auto")
    spine, vertebrae, keypoints, levels = (_load(folder, role, device) for role in ROLES)
    judge = load_judge((folder, models_dir()), limits or GenantLimits())
    return Pipeline(spine, vertebrae, keypoints, levels, device, judge, looks)


def _load(folder: Path, role: str, device: str) -> LoadedModel:
    loaded = load_bundle(folder / role, device)
    if loaded.manifest.role != role:
        raise ModelError(f"{folder / role} holds a model of role {loaded.manifest.role!r}")
    return loaded


def _in_patient(sagittal: StraightenedSagittal, found: tuple[Vertebra, ...]) -> FloatArray:
    """Keypoints (n, 3, 2, 3) in LPS mm."""
    return sagittal.to_patient(np.array([vertebra.keypoints for vertebra in found]))


def _first_look(sagittal: StraightenedSagittal, found: tuple[Vertebra, ...]) -> Bodies:
    """Bodies as the detector measured them; the spread of its votes is that of each point."""
    return Bodies(
        _in_patient(sagittal, found),
        np.array([vertebra.score for vertebra in found]),
        np.array([np.full((3, 2), vertebra.spread_mm) for vertebra in found]),
    )
