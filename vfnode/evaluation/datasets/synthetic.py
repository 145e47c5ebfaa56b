"""Synthetic hold-out: drawn CT of seeds that no training uses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, SyntheticRequest
from vfnode.evaluation.warp import KINDS
from vfnode.spine.volume import CTVolume

FIRST_SEED = 980_000  #: trainings count up from 0, their own hold-out from 900 000
DEFORMED_SHARE = 0.3  #: of the bodies of a deformed patient
DEFORMED_PATIENTS = 0.6
LOWEST_RATIO, HIGHEST_RATIO = 0.35, 0.95
SLICE_MM = (1.0, 1.25, 2.0, 2.5, 3.0)
LEVELS = (*(f"T{n}" for n in range(2, 13)), "L1")


def request(index: int, seed: int) -> SyntheticRequest:
    """The CT of one index: slices, noise and deformities drawn uniformly."""
    rng = np.random.default_rng([seed, index])
    share = DEFORMED_SHARE if rng.random() < DEFORMED_PATIENTS else 0.0
    deformities = {
        level: (str(rng.choice(KINDS)), float(rng.uniform(LOWEST_RATIO, HIGHEST_RATIO)))
        for level in LEVELS
        if rng.random() < share
    }
    spacing = (float(rng.choice(SLICE_MM)), 0.8, 0.8)
    noise_hu = float(rng.uniform(10, 60))
    return SyntheticRequest(FIRST_SEED + index, spacing, deformities, noise_hu)


def cases(source: str, options: Options) -> Iterator[Case]:
    """Drawn cases, as many as ``source`` says.

    Raises:
        UnreadableInputError: the source is not a number.
    """
    if not source.isdecimal():
        raise UnreadableInputError(f"synthetic:{source}: say how many CT, as in synthetic:200")
    for index in range(int(source)):

        def load(index: int = index) -> tuple[CTVolume, Reading]:
            return options.synthesize(request(index, options.seed))

        name = f"synthetic {FIRST_SEED + index}"
        yield Case(name, name, load)


SYNTHETIC = Adapter(
    "synthetic",
    "COUNT",
    "SYNTHETIC: drawn CT of seeds that no training uses, by the generator that the weights were"
    " trained on. Figures on real CT are lower.",
    cases,
)
