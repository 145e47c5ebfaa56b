"""Error of a measured height, and the probability of a fracture that follows from it.

Errors of heights follow Student's t. Its scale grows with the spread of the heat-maps of the
height's two points, with the distance of the slices, and where the body lies far from what its
neighbours say. Fitted by ``vfnode calibrate errors`` on bodies of known truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vfnode.spine.expected_heights import Expectation
from vfnode.spine.genant import GenantLimits, ratios_in_themselves
from vfnode.spine.volume import FloatArray

FREEDOM = 4.0  #: of Student's t
#: Standard deviation of Student's t by its scale.
DEVIATION = float(np.sqrt(FREEDOM / (FREEDOM - 2)))
MOST_DEPARTURE = 3.0  #: tenths of the logarithm of measured over expected height that count
THINNEST_MM = 1.0  #: slices below it measure no better
DRAWS = 1000  #: of errors, the same for every body: a probability is good to 0.02
SEED = 14
#: Error of a height as a share of it, from where the image shows too little for a grade: normal
#: (0.85) and moderate (0.74) then lie one standard deviation of G apart.
MOST_ERROR = 0.10
#: Probability of a moderate or severe deformity between which a body is borderline.
BORDERLINE = (0.1, 0.9)
LEAST_PROBABILITY = 1e-3  #: and one minus it the greatest: nobody has tested more
LOWEST_MM = 1.0  #: a height with an error drawn on it


@dataclass(frozen=True)
class ErrorModel:
    """Logarithm of the errors' scale in mm, and how simulated probabilities are recalibrated."""

    constant: float
    spread: float  #: power of the axial spread
    slices: float  #: power of the slice distance
    departure: float  #: for each tenth of the logarithm of measured over expected height
    offset: float  #: of the logit of the probability
    slope: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorModel:
        """From the file that ``vfnode calibrate errors`` writes."""
        return cls(**data["model"])

    def scale_mm(self, features: FloatArray) -> FloatArray:
        """Scale of the error of heights with features (..., 4) of :func:`features_of`."""
        weights = [self.constant, self.spread, self.slices, self.departure]
        return np.asarray(np.exp(features @ np.array(weights)))

    def probability(self, simulated: FloatArray) -> FloatArray:
        """Recalibrated probability of simulated ones."""
        logit = self.offset + self.slope * logit_of(simulated)
        return np.asarray(1 / (1 + np.exp(-logit)))


def features_of(
    spread_mm: FloatArray,
    slice_mm: FloatArray,
    heights_mm: FloatArray,
    expectations: Sequence[Expectation | None],
) -> FloatArray:
    """Features that the error of each height depends on.

    Args:
        spread_mm: (n, 3, 2) axial spread of each point's heat-map.
        slice_mm: (n,) thickness of the voxels along the axis of each body.
        heights_mm: (n, 3).
        expectations: n; a body without one departs from nothing.

    Returns:
        (n, 3, 4): constant, log spread, log slice thickness, departure from the expected height.
    """
    spread = np.linalg.norm(spread_mm, axis=-1)
    departure = np.zeros(heights_mm.shape)
    for row, expectation in enumerate(expectations):
        if expectation is not None:
            departure[row] = 10 * np.abs(np.log(heights_mm[row] / expectation.heights_mm))
    columns = (
        np.ones(spread.shape),
        np.log(spread),
        np.repeat(np.log(np.maximum(slice_mm, THINNEST_MM))[:, None], 3, 1),
        np.minimum(departure, MOST_DEPARTURE),
    )
    return np.stack(columns, -1)


def error_share(
    model: ErrorModel,
    features: FloatArray,
    heights_mm: FloatArray,
    expectations: Sequence[Expectation | None],
) -> FloatArray:
    """Greatest error of a height of each body as a share of the height that it has or should have.

    Departure from the neighbours does not count: a fracture departs.

    Returns:
        (n,); above ``MOST_ERROR`` the image does not show the endplates well enough for a grade.
    """
    alone = features.copy()
    alone[..., -1] = 0.0
    size_mm = heights_mm.copy()
    for row, expectation in enumerate(expectations):
        if expectation is not None:
            size_mm[row] = np.maximum(size_mm[row], expectation.heights_mm)
    return np.asarray((DEVIATION * model.scale_mm(alone) / size_mm).max(-1))


def simulated_probability(
    heights_mm: FloatArray,
    scale_mm: FloatArray,
    expectation: Expectation | None,
    limits: GenantLimits,
) -> float:
    """Share of drawn errors with which a body is moderate or severe by either measure."""
    errors, of_expected = _drawn()
    heights = np.maximum(heights_mm - errors * scale_mm, LOWEST_MM)
    usual = 1.0 if expectation is None else expectation.usual_wedging
    left = ratios_in_themselves(heights, usual)
    if expectation is not None:
        spread = np.exp(of_expected * expectation.spread.mean())
        mean = (heights / expectation.heights_mm).mean(-1) / spread
        left = np.minimum(left, mean)
    return float((left <= limits.moderate).mean())


def logit_of(probability: FloatArray) -> FloatArray:
    """Logarithm of the odds; of no less than ``LEAST_PROBABILITY``."""
    held = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(held / (1 - held)))


def _drawn() -> tuple[FloatArray, FloatArray]:
    """Errors of three heights (DRAWS, 3) by their scale, and of what is expected (DRAWS,)."""
    rng = np.random.default_rng(SEED)
    return rng.standard_t(FREEDOM, (DRAWS, 3)), rng.standard_normal(DRAWS)
