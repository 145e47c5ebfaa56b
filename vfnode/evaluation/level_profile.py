"""Proportions of the vertebral levels, from the published annotation of 100 chest CT.

Zakharov, Pisov et al., Med Image Anal 83 (2023), repository neuro-ml/anchor-free-genant, CC
BY-NC 4.0: medians and spreads alone leave this module. Lengths of the annotation are approximate
(no spacing is published), so only proportions are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from vfnode.evaluation.cases import Reading
from vfnode.evaluation.datasets.cancer500 import expert_readings
from vfnode.spine.expected_heights import Column, Variation
from vfnode.spine.named_columns import of_columns
from vfnode.spine.vertebra import VertebralLevel, place_in_column
from vfnode.spine.volume import FloatArray

FEWEST_READ = 20  #: readings of a level; below it the level is extrapolated from its neighbour
#: Steps (natural logarithm) of anterior, middle and posterior height to the level from its
#: neighbour, where the annotation has too few: medians of the reference readings and of
#: vfnode.training.synthetic.level_table, which cites its sources.
STEPS = {
    "C5": ("C6", (0.01, 0.0, -0.02)),
    "C4": ("C5", (0.04, 0.02, 0.02)),
    "C3": ("C4", (0.01, 0.01, 0.01)),
    "L3": ("L2", (0.03, 0.01, -0.005)),
    "L4": ("L3", (0.015, -0.01, -0.04)),
    "L5": ("L4", (0.005, -0.01, -0.105)),
}
#: Readers differ in where they put the middle point: log middle over posterior height is 0.04
#: to 0.08 higher in the reference readings than in the annotation.
READER = 0.03
SIZE = 0.1  #: standard deviation of people's size, children left out
FREEDOM = 4.0  #: of Student's t that tolerates fractured bodies
#: Start of the fit: wave, wave_reach, column_wave, column_wave_reach, own.
START = (0.04, 3.0, 0.03, 1.6, 0.02)
POLISHES = 30


@dataclass(frozen=True)
class _Spine:
    """One expert's reading of one CT."""

    places: FloatArray  #: (n,) of the levels in the column
    logs: FloatArray  #: (n, 3)


def level_profile(folder: Path) -> dict[str, Any]:
    """The content of models/judgement/levels.json.

    Raises:
        UnreadableInputError: no annotation in the folder, or of another form.
    """
    patients = expert_readings(folder)
    spines = [_spine(reading) for experts in patients for reading in experts]
    medians = _medians(spines)
    one_each = [_spine(experts[0]) for experts in patients if experts]
    return {
        "source": "medians and spreads of the annotation of Cancer500, Zakharov, Pisov et al.,"
        " Med Image Anal 83 (2023); levels with fewer than"
        f" {FEWEST_READ} readings extrapolated",
        "patients": len(patients),
        "readings": len(spines),
        "bodies": sum(len(spine.places) for spine in spines),
        "heights_mm": {
            name: of_columns(np.exp(logs), 2) for name, logs in _extrapolated(medians).items()
        },
        "variation": {
            name: round(value, 4) for name, value in asdict(_variation(one_each, medians)).items()
        },
    }


def _spine(reading: Reading) -> _Spine:
    known = [body for body in reading.bodies if body.level in _NAMES]
    places = [place_in_column(VertebralLevel(body.level)) for body in known]
    return _Spine(np.array(places), np.log([body.heights_mm for body in known]))


_NAMES = {level.value for level in VertebralLevel} - {"unknown", "T13", "L6"}


def _medians(spines: Sequence[_Spine]) -> dict[int, FloatArray]:
    """Place in the column -> log heights (3,), sizes of people removed (median polish)."""
    sizes = np.zeros(len(spines))
    for _ in range(POLISHES):
        gathered: dict[int, list[FloatArray]] = {}
        for spine, size in zip(spines, sizes, strict=True):
            for place, logs in zip(spine.places, spine.logs, strict=True):
                gathered.setdefault(int(place), []).append(logs - size)
        medians = {place: np.median(logs, 0) for place, logs in sorted(gathered.items())}
        behind = [np.median((s.logs - _at(medians, s.places))[:, 2]) for s in spines]
        sizes = np.array(behind) - np.median(behind)
    return {place: logs for place, logs in medians.items() if len(gathered[place]) >= FEWEST_READ}


def _at(medians: dict[int, FloatArray], places: FloatArray) -> FloatArray:
    return np.array([medians[int(place)] for place in places])


def _extrapolated(medians: dict[int, FloatArray]) -> dict[str, FloatArray]:
    """Level -> log heights (3,), cranial to caudal, with the levels that lack readings."""
    names = {level.value: place_in_column(level) for level in VertebralLevel}
    found = {name: medians[place] for name, place in names.items() if place in medians}
    for name, (neighbour, step) in STEPS.items():
        found.setdefault(name, found[neighbour] + np.array(step))
    return dict(sorted(found.items(), key=lambda item: names[item[0]]))


def _variation(spines: Sequence[_Spine], medians: dict[int, FloatArray]) -> Variation:
    """Spreads under which bodies are predicted best from the others of their spine."""

    def surprise(logs: FloatArray) -> float:
        variation = Variation(SIZE, READER, *np.exp(logs))
        return float(np.mean([_surprise(spine, medians, variation) for spine in spines]))

    fitted = minimize(surprise, np.log(START), method="Nelder-Mead", options={"maxfev": 200})
    return Variation(SIZE, READER, *(float(value) for value in np.exp(fitted.x)))


def _surprise(spine: _Spine, medians: dict[int, FloatArray], variation: Variation) -> float:
    """Mean negative log-likelihood of the heights of each body, predicted from the others."""
    used = np.isin(spine.places, list(medians))
    places = spine.places[used]
    logs = spine.logs[used] - _at(medians, places)
    every = np.ones(len(places), bool)
    prior = variation.covariance(places.astype(float))
    column = Column(prior, logs, np.zeros(logs.shape), every)
    pairs = [column.from_others(i, np.ones(len(places))) for i in range(len(places))]
    mean, spread = (np.array(part) for part in zip(*pairs, strict=True))
    odd = ((logs - mean) / spread) ** 2
    loss = np.log(spread) + (FREEDOM + 1) / 2 * np.log1p(odd / FREEDOM)
    return float(loss.mean())
