"""``vfnode evaluate``: the paper's tables on data with known truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from vfnode import __version__
from vfnode.errors import ModelError
from vfnode.extras import require_extra

if TYPE_CHECKING:
    from rich.status import Status

    from vfnode.evaluation.cases import Reading
    from vfnode.evaluation.datasets.adapter import Options, Read, SyntheticRequest
    from vfnode.evaluation.results import CaseResult
    from vfnode.evaluation.summary import DatasetSummary
    from vfnode.inference.pipeline import Pipeline
    from vfnode.spine.volume import CTVolume


def evaluate(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="KIND:SOURCE. reference:LIST.json, semi-real:LIST.json, crush:LIST.json (lists of"
            " CT with readings), known:LIST.json (with their deformities alone), thin:FOLDER,"
            " thin-semi-real:FOLDER (thin CT, or a list), cancer500:FOLDER, verse:FOLDER,"
            " synthetic:COUNT.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.html and evaluation.json.")],
    models: Annotated[
        Path | None, typer.Option(help="Folder of the models; if absent, the shipped ones.")
    ] = None,
    folds: Annotated[
        list[Path] | None,
        typer.Option(
            help="Models folder of a training with --fold, measured only on the patients that it"
            " left out; one for each fold. Instead of --models."
        ),
    ] = None,
    pure: Annotated[
        bool, typer.Option("--pure", help="The paper's method alone, without the second look.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device that the networks run on.")
    ] = "auto",
    rounds: Annotated[
        int, typer.Option(min=1, help="semi-real: number of times that a CT is deformed anew.")
    ] = 4,
    seed: Annotated[
        int, typer.Option(help="Seed of deformations, drawn CT and the bootstrap.")
    ] = 1,
) -> None:
    """Measure how well vfnode measures: the paper's tables, plots, intervals."""
    require_extra("evaluate", "vfnode evaluate")
    # Imported here: the node and the other commands do without scikit-learn and matplotlib.
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415
    from vfnode.evaluation.datasets.adapter import Options  # noqa: PLC0415

    named = [adapter_of(dataset) for dataset in datasets]
    needed = any(adapter.needs_models(source) for adapter, source in named)
    measured = _measured(models, folds or [], pure, device) if needed else (_NO_MODELS,)
    with Console(stderr=True).status("starting") as status:
        options = Options(synthesize, no_models, rounds, seed)
        summaries = [_summarize(name, options, measured, status) for name in datasets]
    _write(out, summaries, _described(measured, rounds, seed))
    print(f"{out / 'evaluation.html'}")


@dataclass(frozen=True)
class _Measured:
    """Models, and the patients that they are measured on."""

    pipeline: Pipeline | None
    fold: str = ""
    patients: frozenset[str] | None = None  #: None: all


_NO_MODELS = _Measured(None)


def _measured(
    models: Path | None, folds: Sequence[Path], pure: bool, device: str
) -> tuple[_Measured, ...]:
    """Models that are evaluated: one set, or one for each fold.

    Raises:
        ModelError: a folder without models or without a fold.
    """
    # Imported here: torch takes a second and 160 MB, and `vfnode --help` does without it.
    from vfnode.cli.folds import patients_of_folds  # noqa: PLC0415
    from vfnode.inference.bundle import models_dir  # noqa: PLC0415
    from vfnode.inference.pipeline import load_pipeline  # noqa: PLC0415
    from vfnode.inference.refine_keypoints import LOOKS  # noqa: PLC0415

    looks = 0 if pure else LOOKS
    if folds and models is not None:
        raise typer.BadParameter("--folds brings its own models: leave out --models")
    if not folds:
        return (_Measured(load_pipeline(models_dir(models), device, looks=looks)),)
    return tuple(
        _Measured(load_pipeline(folder, device, looks=looks), str(folder), patients)
        for folder, patients in patients_of_folds(folds).items()
    )


def _summarize(
    dataset: str, options: Options, measured: Sequence[_Measured], status: Status
) -> DatasetSummary:
    """Measure every case of one data set, by the models of each fold."""
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415
    from vfnode.evaluation.results import measure_all  # noqa: PLC0415
    from vfnode.evaluation.summary import summarize  # noqa: PLC0415

    adapter, source = adapter_of(dataset)
    results: list[CaseResult] = []
    for one in measured:
        read = no_models if one.pipeline is None else reader(one.pipeline)
        cases = (
            case
            for case in adapter.cases(source, replace(options, read=read))
            if one.patients is None or case.patient in one.patients
        )
        found = measure_all(cases, one.pipeline, lambda case: status.update(f"measuring {case}"))
        results += [replace(result, fold=one.fold) for result in found]
    status.update(f"bootstrap: {dataset}")
    return summarize(dataset, adapter.note, tuple(results), options.seed)


def reader(pipeline: Pipeline) -> Read:
    """Reading of a CT by models, for CT that no person has read."""
    from vfnode.evaluation.cases import reading_of  # noqa: PLC0415

    return lambda volume: reading_of(pipeline.analyze(volume))


def no_models(volume: CTVolume) -> Reading:
    raise ModelError(f"a CT of {volume.hu.shape} voxels has no reading, and no models are loaded")


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


def _described(measured: Sequence[_Measured], rounds: int, seed: int) -> list[str]:
    lines = [f"vfnode {__version__}, {rounds} semi-real rounds, seed {seed}"]
    for one in measured:
        if one.pipeline is None:
            continue
        if one.pipeline.looks == 0:
            lines.append("the paper's method alone, without the second look")
        if one.patients is not None:
            lines.append(f"{one.fold}: patients left out: {', '.join(sorted(one.patients))}")
        lines += [
            f"{model.role}: {model.name}, sha256 {model.sha256[:12]}"
            for model in one.pipeline.models
        ]
    return lines


def _write(out: Path, summaries: Sequence[DatasetSummary], described: list[str]) -> None:
    from vfnode.evaluation.page import page  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.html").write_text(page(summaries, described), "utf-8")
    content = {"evaluated": described, "datasets": [summary.to_dict() for summary in summaries]}
    (out / "evaluation.json").write_text(json.dumps(content, indent=1), "utf-8")
