"""Weights beside each other: heights and height ratios as measured, whatever is said of them.

python -m tests.benchmarks.second_look MODELS [MODELS ...] --data KIND:SOURCE [--rounds N]

A body counts as falsely low where G is measured at most 0.74 and is larger in truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vfnode.cli.evaluate import no_models, synthesize
from vfnode.evaluation.datasets import adapter_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.results import CaseResult, measure
from vfnode.inference.pipeline import load_pipeline
from vfnode.spine.genant import GenantLimits

HEAD = "| case | models | bodies | bias a/m/p, mm | heights a/m/p, mm | G MAE | falsely low |"


def heights(results: Sequence[CaseResult]) -> np.ndarray:
    """(n, 3, 2) true and measured, of every matched body with keypoints, withheld or not."""
    return np.array(
        [
            np.stack([pair.truth.heights_mm, pair.found.heights_mm], 1)
            for result in results
            for pair in result.pairs
            if pair.truth.keypoints_mm is not None
        ]
    ).reshape(-1, 3, 2)


def row(name: str, models: Path, found: np.ndarray) -> str:
    """One line of the table."""
    error = found[..., 1] - found[..., 0]
    ratio = found.min(1) / found.max(1)
    limit = GenantLimits().moderate
    low = int(((ratio[:, 1] <= limit) & (ratio[:, 0] > limit)).sum())
    bias = "/".join(f"{value:+.2f}" for value in error.mean(0))
    size = "/".join(f"{value:.2f}" for value in np.abs(error).mean(0))
    apart = np.abs(ratio[:, 1] - ratio[:, 0]).mean()
    return f"| {name} | {models} | {len(found)} | {bias} | {size} | {apart:.3f} | {low} |"


def rows(dataset: str, models: Sequence[Path], rounds: int) -> Iterator[str]:
    """A line a case and models folder, then one for all cases."""
    adapter, source = adapter_of(dataset)
    pipelines = {folder: load_pipeline(folder, "cpu") for folder in models}
    every: dict[Path, list[CaseResult]] = {folder: [] for folder in models}
    for case in adapter.cases(source, Options(synthesize, no_models, rounds)):
        for folder, pipeline in pipelines.items():
            every[folder].append(measure(case, pipeline))
            yield row(case.name, folder, heights(every[folder][-1:]))
    for folder, results in every.items():
        yield row(f"**{dataset}**", folder, heights(results))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(HEAD, "|---|---|" + "--:|" * 5, sep="\n")
    for dataset in given.data:
        for line in rows(dataset, given.models, given.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
