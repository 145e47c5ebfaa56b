"""A reading compared with the truth: matched, missed and surplus bodies, errors of the curve."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from vfnode.evaluation.cases import Analyzer, Body, Case, Reading, reading_of
from vfnode.evaluation.judged import Judged, grade_of
from vfnode.spine.volume import CTVolume, FloatArray

#: A body that was missed, or found and withheld from grading, is shown to nobody as deformed:
#: it counts as normal.
MISSED_RATIO = 1.0
MATCH_MM = 10.0  #: largest distance of the centres of two bodies that can be the same one
SLICE_GROUPS_MM = (1.0, 2.0, 3.0)  #: upper limits of the groups by slice distance


@dataclass(frozen=True)
class Pair:
    """A true body and the found one that is the same."""

    truth: Body
    found: Body


@dataclass(frozen=True)
class CaseResult:
    """One case after the comparison; only whole bodies count."""

    name: str
    patient: str
    pairs: tuple[Pair, ...]
    missed: tuple[Body, ...]
    extra: tuple[Body, ...]
    curve_mm: float = float("nan")  #: mean distance at equal z
    limits_mm: float = float("nan")  #: mean error of the ends of the spine along z
    tags: dict[str, str] = field(default_factory=dict)
    seconds: float = float("nan")
    fold: str = ""  #: the models that measured it, where several sets of models were asked for

    @cached_property
    def heights_mm(self) -> FloatArray:
        """True and found heights of the graded matched bodies with keypoints, (n, 3, 2)."""
        graded = [pair for pair in self._measured if not pair.found.withheld]
        rows = [np.stack([p.truth.heights_mm, p.found.heights_mm], 1) for p in graded]
        return np.array(rows).reshape(-1, 3, 2)

    @cached_property
    def height_errors_mm(self) -> FloatArray:
        """Stated uncertainty and error of each height of all matched bodies, (3n, 2)."""
        rows = [
            np.stack([pair.found.uncertainty_mm, pair.found.heights_mm - pair.truth.heights_mm], -1)
            for pair in self._measured
        ]
        return np.asarray(np.abs(np.array(rows, float).reshape(-1, 2)))

    @cached_property
    def keypoint_errors_mm(self) -> FloatArray:
        """Mean distance of the found and true keypoints of each matched body, (n,)."""
        rows = [
            np.linalg.norm(pair.found.keypoints_mm - pair.truth.keypoints_mm, axis=-1).mean()
            for pair in self._measured
            if pair.found.keypoints_mm is not None and pair.truth.keypoints_mm is not None
        ]
        return np.array(rows, float)

    @cached_property
    def graded(self) -> FloatArray:
        """Every true body that has a grade: that grade (0 to 3), the shown ratio, the measured one.

        (n, 3). They differ where a body was measured and withheld from grading.
        """
        rows = [(grade_of(p.truth), shown_ratio(p.found), p.found.ratio) for p in self.pairs]
        rows += [(grade_of(body), MISSED_RATIO, MISSED_RATIO) for body in self.missed]
        found = np.array(rows, float).reshape(-1, 3)
        return np.asarray(found[np.isfinite(found).all(1)])

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every true body and what was said of it."""
        found = (Judged(pair.truth, pair.found) for pair in self.pairs)
        return (*found, *(Judged(body, None) for body in self.missed))

    @property
    def _measured(self) -> tuple[Pair, ...]:
        return tuple(
            pair
            for pair in self.pairs
            if pair.truth.keypoints_mm is not None and pair.found.keypoints_mm is not None
        )

    def of_groups(self, groups: Container[str]) -> CaseResult:
        """The same with only the bodies whose truth belongs to one of ``groups``; no surplus."""
        return replace(
            self,
            pairs=tuple(pair for pair in self.pairs if pair.truth.group in groups),
            missed=tuple(body for body in self.missed if body.group in groups),
            extra=(),
        )


def shown_ratio(found: Body) -> float:
    """The ratio that a found body is graded by; as if it were missed where it is withheld."""
    return MISSED_RATIO if found.withheld else found.ratio


def measure(case: Case, analyzer: Analyzer | None) -> CaseResult:
    """Put one case to the analyzer, or compare its two readers."""
    if case.readers is not None:
        truth, other = case.readers
        return compare(case, truth, other)
    assert case.load is not None
    assert analyzer is not None
    volume, truth = case.load()
    began = time.perf_counter()
    found = reading_of(analyzer.analyze(volume))
    result = compare(case, truth, found)
    tags = {"slice distance": slice_group(volume), **case.tags}
    return replace(result, tags=tags, seconds=time.perf_counter() - began)


def measure_all(
    cases: Iterable[Case], analyzer: Analyzer | None, on_case: Callable[[str], None]
) -> tuple[CaseResult, ...]:
    """Every case, one volume in memory at a time."""
    results = []
    for case in cases:
        on_case(case.name)
        results.append(measure(case, analyzer))
    return tuple(results)


def compare(case: Case, truth: Reading, found: Reading) -> CaseResult:
    """Match bodies one to one, nearest centres first, at most ``MATCH_MM`` apart."""
    matched = match(_centres(found), _centres(truth))
    hit_found, hit_truth = {i for i, _ in matched}, {j for _, j in matched}
    pairs = tuple(Pair(truth.bodies[j], found.bodies[i]) for i, j in sorted(matched))
    curve, limits = curve_errors(found.curve_mm, truth.curve_mm)
    return CaseResult(
        case.name,
        case.patient,
        tuple(pair for pair in pairs if pair.truth.complete),
        tuple(b for j, b in enumerate(truth.bodies) if j not in hit_truth and b.complete),
        tuple(b for i, b in enumerate(found.bodies) if i not in hit_found and b.complete),
        curve,
        limits,
        dict(case.tags),
    )


def match(found_mm: FloatArray, truth_mm: FloatArray) -> list[tuple[int, int]]:
    """Index pairs (found, truth) of centres (n, 3) and (m, 3), each used once."""
    if len(found_mm) == 0 or len(truth_mm) == 0:
        return []
    distance = cdist(found_mm, truth_mm)
    pairs = []
    while distance.min() <= MATCH_MM:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        pairs.append((int(i), int(j)))
        distance[i], distance[:, j] = np.inf, np.inf
    return pairs


def curve_errors(found_mm: FloatArray | None, truth_mm: FloatArray | None) -> tuple[float, float]:
    """Errors of a spine curve against the true one, both (N, 3) LPS.

    Returns:
        Mean in-plane distance at equal z where both run, and the mean distance along z of
        the upper and lower ends, mm; NaN where a curve is missing or they share no z.
    """
    if found_mm is None or truth_mm is None:
        return float("nan"), float("nan")
    found, truth = (curve[np.argsort(curve[:, 2])] for curve in (found_mm, truth_mm))
    z_mm = np.arange(max(found[0, 2], truth[0, 2]), min(found[-1, 2], truth[-1, 2]), 1.0)
    if len(z_mm) == 0:
        return float("nan"), float("nan")
    at = [
        np.stack([np.interp(z_mm, curve[:, 2], curve[:, axis]) for axis in (0, 1)], 1)
        for curve in (found, truth)
    ]
    ends = np.abs(found[[0, -1], 2] - truth[[0, -1], 2])
    return float(np.linalg.norm(at[0] - at[1], axis=1).mean()), float(ends.mean())


def slice_group(volume: CTVolume) -> str:
    """Name of the group that the distance of the slices puts a volume into."""
    distance = float(volume.canonical().spacing_mm[0])
    for limit in SLICE_GROUPS_MM:
        if distance <= limit + 0.05:  # headers round
            return f"up to {limit:g} mm"
    return f"over {SLICE_GROUPS_MM[-1]:g} mm"


def _centres(reading: Reading) -> FloatArray:
    return np.array([body.centre_mm for body in reading.bodies]).reshape(-1, 3)
