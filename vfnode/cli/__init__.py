"""The command line: the one place that wires every part and turns errors into exit codes.

Exit codes: 0 done, 1 error (one sentence on standard error), 2 usage, 78 wrong settings.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from vfnode import __version__
from vfnode.cli import calibrate, jobs, models
from vfnode.cli.actions import deliver, hold, purge, reanalyse, release, retry
from vfnode.cli.analyze import analyze
from vfnode.cli.check import check
from vfnode.cli.contact_sheet import contact_sheet
from vfnode.cli.demo import demo
from vfnode.cli.doctor import doctor
from vfnode.cli.evaluate import evaluate
from vfnode.cli.serve import send, serve, settings
from vfnode.cli.status import echo, status
from vfnode.cli.train import train
from vfnode.errors import SettingsError, VfnodeError

EXIT_ERROR = 1
EXIT_SETTINGS = 78  # EX_CONFIG of sysexits.h

app = typer.Typer(
    name="vfnode",
    help="Finds vertebral compression fractures on CT. Research use only, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    analyze,
    demo,
    serve,
    send,
    status,
    doctor,
    echo,
    retry,
    deliver,
    reanalyse,
    purge,
    hold,
    release,
    settings,
    check,
    evaluate,
    train,
    contact_sheet,
):
    app.command()(command)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(calibrate.app, name="calibrate")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vfnode {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_print_version, is_eager=True
    ),
) -> None:
    """Options before the command."""


def main() -> None:
    """Entry point: runs a command and says what went wrong in one sentence."""
    try:
        app()
    except SettingsError as error:
        _complain(error)
        sys.exit(EXIT_SETTINGS)
    except VfnodeError as error:
        _complain(error)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: VfnodeError) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"vfnode: {error}", markup=False)
