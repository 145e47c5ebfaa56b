"""``vfnode serve`` and what an administrator needs beside a running node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from vfnode.errors import UnreadableInputError
from vfnode.node.settings.settings import describe_settings, load_settings

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; `vfnode settings` prints one to start from."),
]


def serve(
    settings: SettingsFile = None,
    log_format: Annotated[
        Literal["json", "console"],
        typer.Option(
            help="Format of the log on standard error: json for programs, console for people."
        ),
    ] = "json",
) -> None:
    """Run the whole node: receive, analyse, deliver.

    Ends cleanly at SIGTERM or Ctrl-C; what was not done goes on at the next start.
    """
    from vfnode.node.app import run  # noqa: PLC0415 - other commands start without the node

    raise typer.Exit(run(load_settings(settings), log_format=log_format))


def settings() -> None:
    """Print a settings file with every field explained."""
    print(describe_settings(), end="")


def send(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files or folders.")],
    host: Annotated[str, typer.Option(help="Host name or address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.")] = 11112,
    called: Annotated[str, typer.Option(help="AE title that is called.")] = "VFNODE",
    calling: Annotated[str, typer.Option(help="AE title that calls.")] = "VFNODE_SEND",
) -> None:
    """Send files by C-STORE, as a modality would; what is refused does not stop the rest."""
    from vfnode.node.delivery.storage_scu import send_files  # noqa: PLC0415

    files = _files(paths)
    with Progress(console=Console(), transient=True) as progress:
        task = progress.add_task("sending", total=len(files))
        send_files(
            files,
            host,
            port,
            called,
            calling,
            lambda sent, _: progress.update(task, completed=sent),
        )
    print(f"{len(files)} instances stored by {called} at {host}:{port}")


def _files(paths: list[Path]) -> list[Path]:
    """All files of the given files and folders, in order of their names."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UnreadableInputError(f"{path}: no such file or folder")
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return found
