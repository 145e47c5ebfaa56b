"""The judgement's error model: fitted on bodies of known truth, tested on patients left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from vfnode.errors import NotEvaluableError
from vfnode.evaluation.cases import Case, Reading
from vfnode.evaluation.judged import Judged
from vfnode.evaluation.results import match
from vfnode.inference.pipeline import Pipeline
from vfnode.spine.error_model import (
    BORDERLINE,
    DEVIATION,
    FREEDOM,
    MOST_ERROR,
    ErrorModel,
    error_share,
    logit_of,
    simulated_probability,
)
from vfnode.spine.expected_heights import Expectation
from vfnode.spine.genant import GenantLimits
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import CTVolume, FloatArray

RIDGE = 1e-3  #: keeps a coefficient without evidence near 0
BINS = 10  #: of the calibration error
START = np.array([-1.6, 1.0, 0.5, 0.3])


@dataclass(frozen=True)
class KnownBody:
    """One measured body whose truth is known."""

    patient: str
    level: str  #: as shown by the analysis
    heights_mm: FloatArray  #: (3,) measured
    true_mm: FloatArray  #: (3,)
    features: FloatArray  #: (3, 4)
    expectation: Expectation | None
    is_fracture: bool  #: in truth moderate or severe


@dataclass(frozen=True)
class Measurer:
    """Models that may measure a patient: none that has seen it, for its errors are too small."""

    pipeline: Pipeline
    folds: Mapping[str, Pipeline]  #: patient -> models of a training that left it out

    def of(self, patient: str) -> Pipeline | None:
        """The models for one patient; None where all were trained on it."""
        if patient in self.folds:
            return self.folds[patient]
        return None if patient in self._trained_on() else self.pipeline

    def _trained_on(self) -> set[str]:
        data = self.pipeline.keypoints_model.manifest.training.get("data")
        return set(data["patients"]) if isinstance(data, dict) else set()


def known_bodies(
    cases: Iterable[Case], measurer: Measurer, on_case: Callable[[str], None]
) -> tuple[KnownBody, ...]:
    """Every whole body of the cases that was found and whose keypoints are known."""
    found: list[KnownBody] = []
    for case in cases:
        pipeline = measurer.of(case.patient)
        if pipeline is None:
            continue
        assert case.load is not None
        on_case(case.name)
        volume, truth = case.load()
        try:
            found += _of_case(case, truth, pipeline, volume)
        except NotEvaluableError:
            continue
    return tuple(found)


def _of_case(case: Case, truth: Reading, pipeline: Pipeline, volume: CTVolume) -> list[KnownBody]:
    bodies, evidence = pipeline.evidence(volume)
    centres = bodies.keypoints_mm.mean((1, 2))
    true_centres = np.array([body.centre_mm for body in truth.bodies]).reshape(-1, 3)
    found = []
    for i, j in match(centres, true_centres):
        true = truth.bodies[j]
        if true.keypoints_mm is None or not true.complete or evidence.hidden[i] is not None:
            continue
        found.append(
            KnownBody(
                case.patient,
                bodies.levels.likely[i],
                evidence.heights_mm[i],
                true.heights_mm,
                evidence.features[i],
                evidence.expectations[i],
                Judged(true, None).is_fracture,
            )
        )
    return found


def fitted(bodies: Sequence[KnownBody], limits: GenantLimits) -> ErrorModel:
    """Coefficients by greatest likelihood; a patient with many bodies counts for less than all."""
    patients = [body.patient for body in bodies]
    weights = np.array([1 / np.sqrt(patients.count(patient)) for patient in patients])
    features = np.array([body.features for body in bodies])
    errors = np.array([body.heights_mm - body.true_mm for body in bodies])

    def surprise(coefficients: FloatArray) -> float:
        logs = features @ coefficients
        odd = (errors / np.exp(logs)) ** 2
        each = (logs + (FREEDOM + 1) / 2 * np.log1p(odd / FREEDOM)).mean(1)
        return float(np.average(each, weights=weights) + RIDGE * (coefficients[1:] ** 2).sum())

    found = minimize(surprise, START, method="BFGS").x
    model = ErrorModel(*(float(value) for value in (*found, 0.0, 1.0)))
    return _recalibrated(model, [body for body in bodies if is_gradable(body, model, limits)])


def is_gradable(body: KnownBody, model: ErrorModel, limits: GenantLimits) -> bool:
    """True if the body's level is graded and the image shows its endplates well enough."""
    known = body.level in {level.value for level in VertebralLevel}
    if not known or not limits.grades(VertebralLevel(body.level)):
        return False
    share = error_share(model, body.features[None], body.heights_mm[None], (body.expectation,))
    return bool(share[0] <= MOST_ERROR)


def simulated(bodies: Sequence[KnownBody], model: ErrorModel) -> FloatArray:
    """Probabilities (n,) of moderate or severe before recalibration."""
    limits = GenantLimits()
    return np.array(
        [
            simulated_probability(
                body.heights_mm, model.scale_mm(body.features), body.expectation, limits
            )
            for body in bodies
        ]
    )


def _recalibrated(model: ErrorModel, bodies: Sequence[KnownBody]) -> ErrorModel:
    """Logistic regression of the truth on the logit of the simulated probability."""
    logits = logit_of(simulated(bodies, model))
    truth = np.array([body.is_fracture for body in bodies])

    def surprise(line: FloatArray) -> float:
        said = line[0] + line[1] * logits
        loss = np.logaddexp(0, said) - truth * said
        return float(loss.mean() + RIDGE * (line[0] ** 2 + (line[1] - 1) ** 2))

    offset, slope = minimize(surprise, np.array([0.0, 1.0]), method="BFGS").x
    return replace(model, offset=float(offset), slope=float(slope))


def left_out_figures(bodies: Sequence[KnownBody], limits: GenantLimits) -> dict[str, float]:
    """Figures of the model on patients that had no part in it: each is left out once."""
    inside, graded, truth, said = [], 0, [], []
    asked = 0
    for patient in sorted({body.patient for body in bodies}):
        model = fitted([body for body in bodies if body.patient != patient], limits)
        own = [body for body in bodies if body.patient == patient]
        for body in own:
            error = np.abs(body.heights_mm - body.true_mm)
            inside += list(error <= 2 * DEVIATION * model.scale_mm(body.features))
        asked += sum(limits.grades(VertebralLevel(b.level)) for b in own if b.level in _LEVELS)
        own = [body for body in own if is_gradable(body, model, limits)]
        graded += len(own)
        truth += [body.is_fracture for body in own]
        said += list(model.probability(simulated(own, model)))
    return {
        "bodies": len(bodies),
        "heights within twice the uncertainty": round(float(np.mean(inside)), 3),
        "graded share": round(graded / asked, 3),
        **_calls(np.array(said), np.array(truth)),
    }


_LEVELS = {level.value for level in VertebralLevel}


def _calls(said: FloatArray, truth: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Counts of what is said of graded bodies, and the calibration error of the probability."""
    low, high = BORDERLINE
    between = (said > low) & (said < high)
    part = np.minimum((said * BINS).astype(int), BINS - 1)
    gaps = [abs(float((said - truth)[part == k].sum())) for k in range(BINS)]
    return {
        "calibration error": round(sum(gaps) / len(said), 3),
        "normal or mild bodies": int((~truth).sum()),
        "of these called moderate or severe": int((~truth & (said >= high)).sum()),
        "of these borderline": int((~truth & between).sum()),
        "moderate or severe bodies": int(truth.sum()),
        "of these found": int((truth & (said >= high)).sum()),
        "of these found borderline": int((truth & between).sum()),
    }


def calibration(bodies: Sequence[KnownBody], limits: GenantLimits) -> dict[str, Any]:
    """The model and what stands behind it, as models/judgement/errors.json holds them."""
    patients = sorted({body.patient for body in bodies})
    return {
        "patients": {p: sum(body.patient == p for body in bodies) for p in patients},
        "model": {name: round(value, 4) for name, value in asdict(fitted(bodies, limits)).items()},
        "each patient left out": left_out_figures(bodies, limits),
    }
