"""``vfnode train``: make the shipped weights again, or weights for a site's own CT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vfnode.cli.training_data import site_data
from vfnode.errors import TrainingError
from vfnode.extras import require_extra

if TYPE_CHECKING:
    from vfnode.training.loop import Progress as TrainingProgress
    from vfnode.training.run import Recipe, TrainingOptions
    from vfnode.training.site_data import SiteData

LOG_EVERY = 100  #: steps between two lines where there is no terminal

Role = Literal["spine", "vertebrae", "keypoints", "levels"]


def train(  # noqa: PLR0913, PLR0917 - a parameter an option
    role: Annotated[
        Role,
        typer.Argument(
            help="spine: course of the spine in a CT. vertebrae: bodies and six keypoints each."
            " keypoints: the second look at each body. levels: their names.",
        ),
    ],
    minutes: Annotated[float, typer.Option(help="Training time over all runs, minutes.")] = 60.0,
    out: Annotated[
        Path, typer.Option(help="Models folder; the model goes into a folder of its own.")
    ] = Path("models"),
    work: Annotated[
        Path, typer.Option(help="Folder for images, the checkpoint and the losses (CSV).")
    ] = Path("training-work"),
    seed: Annotated[int, typer.Option(help="Seed of the images and of their order.")] = 1,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Number of synthetic images; if absent, the usual one."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Images of one step; fewer give a slow machine more steps."),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device that the network is trained on.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the training.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that draw images beside the training.")
    ] = 0,
    start: Annotated[
        Path | None, typer.Option("--from", help="Model to start from, as in models/keypoints.")
    ] = None,
    blend: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="--from: share of the trained weights in a mean with the start's."
        ),
    ] = 1.0,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="vertebrae, keypoints: KIND:SOURCE of read CT, as `vfnode evaluate` takes them;"
            " may be given several times."
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of --data among the images that a step reads."),
    ] = 0.5,
    fold: Annotated[
        str | None, typer.Option(help="1/5 leaves out the first fifth of the patients of --data.")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="semi-real: number of times that a CT is deformed anew.")
    ] = 4,
    label_maps: Annotated[
        Path | None,
        typer.Option(
            help="levels: folder of totalsegmentator-*.nii.gz with names: real skeletons."
        ),
    ] = None,
) -> None:
    """Train a model on synthetic CT, and on a site's own; resumable."""
    require_extra("train", "vfnode train")
    from vfnode.training.run import TrainingOptions, train_bundle  # noqa: PLC0415

    options = TrainingOptions(
        minutes, work, out, seed, threads, device, workers, start, batch, blend
    )
    site = site_data(data or [], share, fold, rounds, seed)
    recipe = _recipe(role, site, images, label_maps)
    with _progress() as on_progress:
        folder = train_bundle(recipe(options), options, on_progress)
    print(f"model in {folder}")


def _recipe(
    role: Role, site: SiteData, images: int | None, label_maps: Path | None
) -> Callable[[TrainingOptions], Recipe]:
    """Recipe of a model's training.

    Raises:
        TrainingError: a site's CT or label maps for a model that does not learn from them.
    """
    from vfnode.training.keypoints.recipe import KeypointsSizes, keypoints_recipe  # noqa: PLC0415
    from vfnode.training.levels.recipe import LevelsSizes, levels_recipe  # noqa: PLC0415
    from vfnode.training.spine.recipe import SpineSizes, spine_recipe  # noqa: PLC0415
    from vfnode.training.vertebrae.recipe import VertebraeSizes, vertebrae_recipe  # noqa: PLC0415

    if label_maps is not None and role != "levels":
        raise TrainingError(f"{role} does not learn from label maps: leave out --label-maps")
    if role == "vertebrae":
        return partial(
            vertebrae_recipe, sizes=None if images is None else VertebraeSizes(images), site=site
        )
    if role == "keypoints":
        return partial(
            keypoints_recipe, sizes=None if images is None else KeypointsSizes(images), site=site
        )
    if site.datasets:
        raise TrainingError(f"{role} learns from synthetic CT alone: leave out --data")
    if role == "spine":
        return partial(spine_recipe, sizes=None if images is None else SpineSizes(images))
    return partial(
        levels_recipe,
        sizes=None if images is None else LevelsSizes(images),
        label_maps=label_maps,
    )


@contextmanager
def _progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """A bar on a terminal, a line every ``LOG_EVERY`` steps elsewhere."""
    console = Console()
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("preparing images", total=1.0)

        def on_progress(now: TrainingProgress) -> None:
            losses = " ".join(f"{name} {value:.3f}" for name, value in now.losses.items())
            line = f"step {now.step} {losses}"
            bar.update(task, completed=now.fraction, description=line)
            if not console.is_terminal and now.step % LOG_EVERY == 0:
                print(f"{now.elapsed_minutes:.1f} min {line}", flush=True)

        yield on_progress
