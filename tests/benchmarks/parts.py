"""What each part of the pipeline brings, from the CT on, on semi-real CT.

``python -m tests.benchmarks.parts --rounds 12``
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.snap import snapped_reading
from vfnode.cli.evaluate import no_models, synthesize
from vfnode.evaluation import metrics
from vfnode.evaluation.cases import Case, reading_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.datasets.semi_real import cases
from vfnode.evaluation.figures import MEASURED_AUC, MEASURED_SEVERE
from vfnode.evaluation.results import CaseResult, compare
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import Pipeline, load_pipeline

CASES = Path(__file__).with_name("reference_cases.json")
LOOKS = {
    0: "the paper's method alone (`--pure`)",
    1: "the second look, once",
    2: "the second look, twice (shipped)",
}
SNAPPED = "and points snapped to the strongest edge within 1.5 mm"
COLUMNS: dict[str, metrics.Metric] = {
    "recall": metrics.recall,
    "slope of G": metrics.ratio_slope,
    "G MAE": metrics.ratio_mae,
    "G bias": metrics.ratio_bias,
    "heights, mm": metrics.height_mae,
    "AUC as measured": MEASURED_AUC,
    "severe": MEASURED_SEVERE,
    "withheld": metrics.withheld_share,
    "withheld as normal": metrics.vertebra_auc,
}


def measured(case: Case, pipeline: Pipeline) -> dict[str, CaseResult]:
    """One CT by each part."""
    assert case.load is not None
    volume, truth = case.load()
    found = {
        name: reading_of(replace(pipeline, looks=looks).analyze(volume))
        for looks, name in LOOKS.items()
    }
    found[SNAPPED] = snapped_reading(volume, found[LOOKS[2]])
    return {name: compare(case, truth, reading) for name, reading in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--models", type=Path, default=models_dir())
    given = parser.parse_args()
    pipeline = load_pipeline(given.models)
    results: dict[str, list[CaseResult]] = defaultdict(list)
    for case in cases(str(CASES), Options(synthesize, no_models, given.rounds)):
        for name, result in measured(case, pipeline).items():
            results[name].append(result)
    print("| | " + " | ".join(COLUMNS) + " |\n|---|" + "--:|" * len(COLUMNS))
    for name, own in results.items():
        figures = " | ".join(f"{metric(own):.3f}" for metric in COLUMNS.values())
        print(f"| {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
