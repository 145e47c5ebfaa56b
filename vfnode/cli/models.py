"""``vfnode models``: which weights there are, and whether they are what their manifests say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Show and verify the models.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[
    Path | None,
    typer.Option("--models", help="Folder of the models; if absent, the shipped ones."),
]
SHA256_SHOWN = 12  #: characters of a hash that tell models apart


@app.command(name="list")
def list_models(models: Folder = None) -> None:
    """List the models: how long trained, on what, and their sha256."""
    # Imported here: `vfnode --help` does without torch.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from vfnode.inference.bundle import ROLES, models_dir, read_manifest  # noqa: PLC0415

    folder = models_dir(models)
    table = Table(box=None, pad_edge=False)
    for heading in ("role", "trained, min", "generator", "data", "sha256"):
        table.add_column(heading, justify="right" if heading == "trained, min" else "left")
    for role in ROLES:
        manifest = read_manifest(folder / role)
        table.add_row(
            manifest.role,
            str(manifest.training.get("minutes", "")),
            manifest.generator_version,
            _data(manifest.training),
            manifest.sha256[:SHA256_SHOWN],
        )
    Console(soft_wrap=True).print(table)


@app.command()
def verify(models: Folder = None) -> None:
    """Load each model; exit code 1 where one is missing, damaged or not its manifest's."""
    from vfnode.inference.bundle import ROLES, load_bundle, models_dir  # noqa: PLC0415

    folder = models_dir(models)
    for role in ROLES:
        loaded = load_bundle(folder / role)
        print(
            f"{role}: sha256 {loaded.manifest.sha256}, weights fit {loaded.manifest.architecture}"
        )


def _data(training: Mapping[str, Any]) -> str:
    """Training data of a model, in a word or two."""
    data = training.get("data", "synthetic only")
    if isinstance(data, str):
        return data
    return f"synthetic, and CT of {len(data['patients'])} patients"
