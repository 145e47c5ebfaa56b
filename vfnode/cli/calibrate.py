"""``vfnode calibrate``: what the judgement of bodies rests on, from data of known truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from vfnode.evaluation.cases import Case
    from vfnode.evaluation.datasets.adapter import Options

app = typer.Typer(
    help="Fit what the judgement rests on: proportions of the levels, errors of the heights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Out = Annotated[Path, typer.Option(help="Judgement folder of the models: models/judgement.")]


@app.command()
def levels(
    annotation: Annotated[Path, typer.Argument(help="Folder of the Cancer500 annotation.")],
    out: Out,
) -> None:
    """Write the proportions of the levels, and how they vary among people: levels.json."""
    # Imported here: `vfnode --help` does without scipy.
    from vfnode.evaluation.level_profile import level_profile  # noqa: PLC0415
    from vfnode.inference.judge import LEVELS_NAME  # noqa: PLC0415

    _write(out / LEVELS_NAME, level_profile(annotation))


@app.command()
def errors(
    datasets: Annotated[
        list[str], typer.Argument(help="KIND:SOURCE as for vfnode evaluate, with known keypoints.")
    ],
    out: Out,
    models: Annotated[
        Path | None, typer.Option(help="Folder with the models; without it the shipped ones.")
    ] = None,
    folds: Annotated[
        list[Path] | None,
        typer.Option(
            help="Models folder of a training with --fold, for the patients that it left out."
            " Patients that the models were trained on count only where a fold left them out."
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="semi-real: how often each CT is deformed anew.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the deformations.")] = 7,
) -> None:
    """Fit the errors of heights, test them on patients left out, and write errors.json.

    To be run again with every new second look.
    """
    # Imported here: `vfnode --help` does without torch.
    from vfnode.cli.evaluate import reader, synthesize  # noqa: PLC0415
    from vfnode.cli.folds import patients_of_folds  # noqa: PLC0415
    from vfnode.evaluation.calibration import Measurer, calibration, known_bodies  # noqa: PLC0415
    from vfnode.evaluation.datasets.adapter import Options  # noqa: PLC0415
    from vfnode.inference.bundle import models_dir  # noqa: PLC0415
    from vfnode.inference.judge import ERRORS_NAME  # noqa: PLC0415
    from vfnode.inference.pipeline import load_pipeline  # noqa: PLC0415

    pipeline = load_pipeline(models_dir(models), "cpu")
    left_out = {
        patient: load_pipeline(folder, "cpu")
        for folder, patients in patients_of_folds(folds or []).items()
        for patient in patients
    }
    options = Options(synthesize, reader(pipeline), rounds, seed)
    with Console(stderr=True).status("starting") as status:
        bodies = known_bodies(
            _cases(datasets, options),
            Measurer(pipeline, left_out),
            lambda case: status.update(f"measuring {case}"),
        )
    described = {
        "command": f"vfnode calibrate errors {' '.join(datasets)} --rounds {rounds} --seed {seed}",
        "date": date.today().isoformat(),
        "keypoints": pipeline.keypoints_model.manifest.sha256,
        "folds": sorted(left_out),
    }
    _write(out / ERRORS_NAME, {**described, **calibration(bodies, pipeline.judge.limits)})


def _cases(datasets: list[str], options: Options) -> Iterator[Case]:
    from vfnode.evaluation.datasets import adapter_of  # noqa: PLC0415

    for dataset in datasets:
        adapter, source = adapter_of(dataset)
        yield from adapter.cases(source, options)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path)
