"""Cases of the evaluation's data sets as training input.

Training and evaluation stand side by side and know nothing of each other: here, where both are
in reach, the one's cases become the other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from vfnode.cli.evaluate import reader, synthesize
from vfnode.errors import TrainingError

if TYPE_CHECKING:
    from vfnode.evaluation.cases import Case, Reading
    from vfnode.evaluation.datasets.adapter import Read
    from vfnode.spine.volume import CTVolume
    from vfnode.training.site_data import ReadSpine, SiteData


def site_data(
    datasets: Sequence[str], share: float, fold: str | None, rounds: int, seed: int
) -> SiteData:
    """Read CT that ``vfnode train --data`` names.

    Args:
        datasets: KIND:SOURCE each, as ``vfnode evaluate`` takes them.
        share: of the site's images in a batch.
        fold: ``1/5`` leaves out the first fifth of the patients.
        rounds: that semi-real data sets deform each CT.
        seed: of their deformations.

    Raises:
        TrainingError: a data set without CT, the synthetic hold-out, or a fold without data.
        UnreadableInputError: a data set that cannot be read; names it.
    """
    from vfnode.training.site_data import SYNTHETIC_ONLY, Fold, ReadCT, SiteData  # noqa: PLC0415

    if not datasets:
        if fold is not None:
            raise TrainingError("--fold leaves out patients of --data: name --data too")
        return SYNTHETIC_ONLY
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415 - scikit-learn, nibabel
    from vfnode.evaluation.datasets.adapter import Options  # noqa: PLC0415
    from vfnode.evaluation.datasets.synthetic import SYNTHETIC  # noqa: PLC0415

    options = Options(synthesize, _shipped_reading(), rounds, seed)
    found = []
    for dataset in datasets:
        adapter, source = adapter_of(dataset)
        if adapter.kind == SYNTHETIC.kind:
            raise TrainingError(f"{dataset} is the hold-out of the evaluation, never trained on")
        for number, case in enumerate(adapter.cases(source, options)):
            if case.load is None:
                raise TrainingError(f"{dataset} holds readings without CT: nothing to train on")
            key = f"{dataset} {number} {case.name} {seed}"
            load = partial(_read, case)
            found.append(ReadCT(key, case.patient, load, case.attribution))
    parsed = None if fold is None else Fold.parse(fold)
    return SiteData(tuple(datasets), tuple(found), share, parsed, rounds)


def _shipped_reading() -> Read:
    """Reading of a CT by the shipped models; they are loaded when the first one is asked for."""
    from vfnode.inference.bundle import models_dir  # noqa: PLC0415
    from vfnode.inference.pipeline import load_pipeline  # noqa: PLC0415

    @cache
    def shipped() -> Read:
        return reader(load_pipeline(models_dir(None), "cpu"))

    def read(volume: CTVolume) -> Reading:
        return shipped()(volume)

    return read


def _read(case: Case) -> ReadSpine:
    """Load a case: bodies with six keypoints, apart from those of which only the place is known."""
    from vfnode.training.site_data import ReadSpine  # noqa: PLC0415

    assert case.load is not None
    volume, reading = case.load()
    whole = [b.keypoints_mm for b in reading.bodies if b.complete and b.keypoints_mm is not None]
    others = [b.centre_mm for b in reading.bodies if not b.complete or b.keypoints_mm is None]
    return ReadSpine(
        volume,
        np.array(whole, float).reshape(-1, 3, 2, 3),
        np.array(others, float).reshape(-1, 3),
        reading.curve_mm,
    )
