"""The error model is found again in bodies drawn from one, and tested on patients left out."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vfnode.evaluation.calibration import (
    KnownBody,
    Measurer,
    calibration,
    fitted,
    left_out_figures,
)
from vfnode.inference.bundle import models_dir, read_manifest
from vfnode.inference.judge import ERRORS_NAME, FOLDER, read_errors
from vfnode.spine.error_model import FREEDOM, ErrorModel, features_of
from vfnode.spine.genant import GenantLimits, height_ratio

TRUE = ErrorModel(constant=-1.5, spread=1.0, slices=0.5, departure=0.0, offset=0.0, slope=1.0)


def drawn(count: int, patient: str, rng: np.random.Generator) -> list[KnownBody]:
    """Bodies of one patient, a third of them wedges, measured with the errors of TRUE."""
    bodies = []
    for _ in range(count):
        ratio = rng.uniform(0.5, 0.73) if rng.random() < 0.33 else rng.uniform(0.85, 1.0)
        true = 24.0 * np.array([ratio, (1 + ratio) / 2, 1.0])
        spread = np.full((1, 3, 2), np.exp(rng.uniform(-0.7, 0.7)))
        features = features_of(spread, rng.uniform(1, 4, 1), true[None], (None,))[0]
        error = TRUE.scale_mm(features) * rng.standard_t(FREEDOM, 3)
        heights = np.maximum(true + error, 1.0)
        is_fracture = height_ratio(true) <= GenantLimits().moderate
        bodies.append(KnownBody(patient, "T9", heights, true, features, None, is_fracture))
    return bodies


@pytest.fixture(scope="module")
def bodies() -> list[KnownBody]:
    """Four patients of 120 bodies."""
    rng = np.random.default_rng(3)
    return [body for patient in "ABCD" for body in drawn(120, patient, rng)]


def test_the_coefficients_are_found_again(bodies):
    """Within what 480 bodies tell."""
    model = fitted(bodies, GenantLimits())

    assert model.constant == pytest.approx(TRUE.constant, abs=0.15)
    assert model.spread == pytest.approx(TRUE.spread, abs=0.2)
    assert model.slices == pytest.approx(TRUE.slices, abs=0.2)


def test_patients_left_out_are_told_rightly(bodies):
    """Coverage of a normal's two standard deviations, a calibrated probability, few false calls."""
    figures = left_out_figures(bodies, GenantLimits())

    assert figures["heights within twice the uncertainty"] == pytest.approx(0.95, abs=0.03)
    assert figures["calibration error"] < 0.05
    assert figures["of these found"] > 0.8 * figures["moderate or severe bodies"]
    assert figures["of these called moderate or severe"] <= 3


def test_a_level_that_is_not_graded_calls_nothing(bodies):
    """T1 counts for the errors alone."""
    upper = [KnownBody(**{**vars(body), "level": "T1"}) for body in bodies]
    both = left_out_figures([*bodies, *upper], GenantLimits())

    alone = left_out_figures(bodies, GenantLimits())
    assert both["moderate or severe bodies"] == pytest.approx(
        alone["moderate or severe bodies"], rel=0.1
    )


def test_a_patient_that_the_models_have_seen_is_measured_by_none_of_them():
    """Unless a fold left it out: errors of the trained are too small."""
    shipped, fold = seen_by("A", "B"), seen_by("B")
    measurer = Measurer(shipped, {"A": fold})

    assert measurer.of("A") is fold
    assert measurer.of("B") is None
    assert measurer.of("C") is shipped


def seen_by(*patients: str) -> Any:
    """The part of a pipeline that says whom its second look was trained on."""
    manifest = SimpleNamespace(training={"data": {"patients": list(patients)}})
    return SimpleNamespace(keypoints_model=SimpleNamespace(manifest=manifest))


def test_the_file_says_who_stands_behind_it(bodies):
    """Patients, bodies, model, and the figures with each patient left out."""
    content = json.loads(json.dumps(calibration(bodies, GenantLimits())))

    assert content["patients"] == dict.fromkeys("ABCD", 120)
    assert ErrorModel.from_dict(content).spread > 0


def test_the_shipped_errors_are_those_of_the_shipped_second_look():
    """Whoever changes the weights runs ``vfnode calibrate errors`` again."""
    folder = models_dir()
    said = json.loads((folder / FOLDER / ERRORS_NAME).read_text("utf-8"))

    assert said["keypoints"] == read_manifest(folder / "keypoints").sha256
    assert read_errors(folder / FOLDER)[0].spread > 0
