"""``vfnode evaluate``: the paper's tables on data with known truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from vfnode import __version__

if TYPE_CHECKING:
    from rich.status import Status

    from vfnode.evaluation.cases import Reading
    from vfnode.evaluation.datasets.adapter import Options, SyntheticRequest
    from vfnode.evaluation.summary import DatasetSummary
    from vfnode.inference.pipeline import Pipeline
    from vfnode.spine.volume import CTVolume


def evaluate(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="KIND:SOURCE. reference:LIST.json, semi-real:LIST.json (lists of CT with"
            " readings), cancer500:FOLDER, verse:FOLDER, synthetic:COUNT.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.html and evaluation.json.")],
    models: Annotated[
        Path | None, typer.Option(help="Folder with the models; without it the shipped ones.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")
    ] = "auto",
    rounds: Annotated[
        int, typer.Option(min=1, help="semi-real: how often each CT is deformed anew.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Of deformations, drawn CT and the bootstrap.")] = 1,
) -> None:
    """Measure how well vfnode measures: the paper's tables, plots, intervals.

    Needs the extra packages of `pip install vfnode[evaluate]`.
    """
    # Imported here: the node and the other commands do without scikit-learn and matplotlib.
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415
    from vfnode.evaluation.datasets.adapter import Options  # noqa: PLC0415

    needed = any(adapter_of(name)[0].needs_models for name in datasets)
    pipeline = _pipeline(models, device) if needed else None
    with Console(stderr=True).status("starting") as status:
        options = Options(synthesize, rounds, seed)
        summaries = [_summarize(name, options, pipeline, status) for name in datasets]
    _write(out, summaries, _described(pipeline, rounds, seed))
    print(f"{out / 'evaluation.html'}")


def _summarize(
    dataset: str, options: Options, pipeline: Pipeline | None, status: Status
) -> DatasetSummary:
    """Measure every case of one data set."""
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415
    from vfnode.evaluation.results import measure_all  # noqa: PLC0415
    from vfnode.evaluation.summary import summarize  # noqa: PLC0415

    adapter, source = adapter_of(dataset)
    cases = adapter.cases(source, options)
    results = measure_all(cases, pipeline, lambda case: status.update(f"measuring {case}"))
    status.update(f"bootstrap: {dataset}")
    return summarize(dataset, adapter.note, results, options.seed)


def _pipeline(models: Path | None, device: str) -> Pipeline:
    from vfnode.inference.bundle import models_dir  # noqa: PLC0415
    from vfnode.inference.pipeline import load_pipeline  # noqa: PLC0415

    return load_pipeline(models_dir(models), device)


def synthesize(request: SyntheticRequest) -> tuple[CTVolume, Reading]:
    """Draw a CT; evaluation itself knows no generator."""
    from vfnode.evaluation.cases import UNDEFORMED, Body, Reading  # noqa: PLC0415
    from vfnode.training.synthetic.chest_ct import synthesize_chest_ct  # noqa: PLC0415

    drawn = synthesize_chest_ct(
        request.seed,
        request.spacing_mm,
        deformities=request.deformities,
        noise_hu=request.noise_hu,
    )
    bodies = tuple(
        Body.of_keypoints(
            true.keypoints_patient_mm,
            true.level,
            UNDEFORMED if true.deformity == "none" else true.deformity,
        )
        for true in drawn.truth
    )
    inside = drawn.volume.contains(drawn.curve.points_mm)
    return drawn.volume, Reading(bodies, drawn.curve.points_mm[inside])


def _described(pipeline: Pipeline | None, rounds: int, seed: int) -> list[str]:
    lines = [f"vfnode {__version__}, {rounds} semi-real rounds, seed {seed}"]
    if pipeline is None:
        return lines
    return lines + [
        f"{model.role}: {model.name}, sha256 {model.sha256[:12]}" for model in pipeline.models
    ]


def _write(out: Path, summaries: Sequence[DatasetSummary], described: list[str]) -> None:
    from vfnode.evaluation.page import page  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.html").write_text(page(summaries, described), "utf-8")
    content = {"evaluated": described, "datasets": [summary.to_dict() for summary in summaries]}
    (out / "evaluation.json").write_text(json.dumps(content, indent=1), "utf-8")
