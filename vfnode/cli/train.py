"""``vfnode train``: make the shipped weights again, on synthetic images alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from vfnode.training.loop import Progress as TrainingProgress

train = typer.Typer(
    help="Train a model on synthetic CT; resumable.",
    no_args_is_help=True,
)

Minutes = Annotated[float, typer.Option(help="Training time over all runs, minutes.")]
Out = Annotated[Path, typer.Option(help="Models folder; the model goes into a folder of its own.")]
Work = Annotated[Path, typer.Option(help="Folder for synthetic images and the checkpoint.")]
Seed = Annotated[int, typer.Option(help="Of the images and of the order they come in.")]

LOG_EVERY = 100  #: steps between two lines where there is no terminal


@train.command()
def spine(
    minutes: Minutes = 60.0,
    out: Out = Path("models"),
    work: Work = Path("training-work"),
    seed: Seed = 1,
) -> None:
    """Stage 1: where the spine runs in a CT volume."""
    from vfnode.training.spine import SpineOptions, train_spine  # noqa: PLC0415

    with _progress() as on_progress:
        folder = train_spine(SpineOptions(minutes, work, out, seed=seed), on_progress)
    print(f"model in {folder}")


@train.command()
def vertebrae(
    minutes: Minutes = 60.0,
    out: Out = Path("models"),
    work: Work = Path("training-work"),
    seed: Seed = 1,
) -> None:
    """Stage 2: bodies and their six keypoints on the straightened image."""
    from vfnode.training.vertebrae import VertebraeOptions, train_vertebrae  # noqa: PLC0415

    with _progress() as on_progress:
        folder = train_vertebrae(VertebraeOptions(minutes, work, out, seed=seed), on_progress)
    print(f"model in {folder}")


@train.command()
def keypoints(
    minutes: Minutes = 60.0,
    out: Out = Path("models"),
    work: Work = Path("training-work"),
    seed: Seed = 1,
) -> None:
    """The second look: the six keypoints of one body by heat-maps."""
    from vfnode.training.keypoints import KeypointsOptions, train_keypoints  # noqa: PLC0415

    with _progress() as on_progress:
        folder = train_keypoints(KeypointsOptions(minutes, work, out, seed=seed), on_progress)
    print(f"model in {folder}")


@train.command()
def levels(
    minutes: Minutes = 30.0,
    out: Out = Path("models"),
    work: Work = Path("training-work"),
    seed: Seed = 1,
    label_maps: Annotated[
        Path | None,
        typer.Option(help="Folder of totalsegmentator-*.nii.gz with names: real skeletons."),
    ] = None,
) -> None:
    """The level labeller: which vertebra stands at each height of the spine."""
    from vfnode.training.levels import LevelsOptions, train_levels  # noqa: PLC0415

    options = LevelsOptions(minutes, work, out, seed=seed, label_maps=label_maps)
    with _progress() as on_progress:
        folder = train_levels(options, on_progress)
    print(f"model in {folder}")


@contextmanager
def _progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """A bar on a terminal, a line every ``LOG_EVERY`` steps elsewhere."""
    console = Console()
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("drawing synthetic images", total=1.0)

        def on_progress(now: TrainingProgress) -> None:
            losses = " ".join(f"{name} {value:.3f}" for name, value in now.losses.items())
            line = f"step {now.step} {losses}"
            bar.update(task, completed=now.fraction, description=line)
            if not console.is_terminal and now.step % LOG_EVERY == 0:
                print(f"{now.elapsed_minutes:.1f} min {line}", flush=True)

        yield on_progress
