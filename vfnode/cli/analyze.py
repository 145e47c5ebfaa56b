"""``vfnode analyze``: results for files on disk, without a node."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vfnode.cli.tables import patient_line, vertebrae_table
from vfnode.errors import UnreadableInputError

if TYPE_CHECKING:
    from vfnode.dicom.reading.ct_series import CTSeries
    from vfnode.spine.volume import CTVolume

#: what the progress bar says while each stage of an analysis runs
STAGES = {
    "read": "reading the images",
    "load": "loading the models",
    "localize": "finding the spine",
    "straighten": "straightening",
    "detect": "finding vertebral bodies",
    "refine": "measuring each body",
    "label": "naming the levels",
    "picture": "sampling the picture",
    "build": "writing the results",
}


def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="A DICOM folder, DICOM files, or one NIfTI, MetaImage, NRRD or Analyze file."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for the results; of several series each gets a subfolder.")
    ],
    models: Annotated[
        Path | None, typer.Option(help="Folder of the models; if absent, the shipped ones.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device that the networks run on.")
    ] = "auto",
) -> None:
    """Measure every vertebra of a CT on disk.

    Writes result.json, report.sr.dcm, the pictures (*.sc.dcm) and sagittal.png.
    """
    console = Console()
    with _progress(console) as progress:
        folders = _analyze(paths, out, models, device, _reporter(progress))
    for folder in folders:
        result = json.loads((folder / "result.json").read_text("utf-8"))
        if result["vertebrae"]:
            console.print(vertebrae_table(result))
        console.print(patient_line(result), highlight=False, soft_wrap=True)
        console.print(f"Results in {folder}", highlight=False, soft_wrap=True)


def _analyze(
    paths: list[Path],
    out: Path,
    models: Path | None,
    device: str,
    on_stage: Callable[[str], None],
) -> list[Path]:
    """Analyse each series; the folders that were written, in order."""
    # Imported here: `vfnode --help` and the node's own process do without torch.
    from vfnode.dicom.results.outputs import build_and_write  # noqa: PLC0415
    from vfnode.inference.bundle import models_dir  # noqa: PLC0415
    from vfnode.inference.pipeline import load_pipeline  # noqa: PLC0415

    began = time.perf_counter()
    on_stage("read")
    inputs = _read(paths)
    read_s = time.perf_counter() - began
    on_stage("load")
    pipeline = load_pipeline(models_dir(models), device)
    folders = []
    names = _folder_names([series for _, series in inputs])
    for (volume, series), name in zip(inputs, names, strict=True):
        analysis = pipeline.analyze(volume, on_stage)
        on_stage("build")
        folder = out / name
        build_and_write(analysis.with_timing("read", read_s), series, folder)
        folders.append(folder)
    return folders


def _folder_names(found: list[CTSeries | None]) -> list[str]:
    """Subfolder of each series; none where there is one series alone.

    Series UIDs are the scanner's: they may be no file names, or those of two patients.
    """
    uids = [series.series_instance_uid if series else "" for series in found]
    if len(uids) == 1:
        return [""]
    tidy = [re.sub(r"[^0-9A-Za-z.-]", "_", uid).lstrip(".") for uid in uids]
    return [
        f"{name}-{tidy[: index + 1].count(name)}" if tidy.count(name) > 1 else name
        for index, name in enumerate(tidy)
    ]


def _read(paths: list[Path]) -> list[tuple[CTVolume, CTSeries | None]]:
    """Each series with its volume; a volume file has no series.

    Raises:
        UnreadableInputError: no such file, or a volume file beside other input.
    """
    from vfnode.dicom.reading.ct_series import read_ct_series  # noqa: PLC0415
    from vfnode.dicom.reading.volume_files import (  # noqa: PLC0415
        is_volume_file,
        read_volume_file,
    )

    for path in paths:
        if not path.exists():
            raise UnreadableInputError(f"{path}: no such file or folder")
    volumes = [path for path in paths if is_volume_file(path)]
    if not volumes:
        volumes = _volumes_instead_of_dicom(paths)
    if not volumes:
        return [(series.volume, series) for series in read_ct_series(paths)]
    if len(paths) > 1 or len(volumes) > 1:
        raise UnreadableInputError(f"{volumes[0]}: give one volume file, and nothing beside it")
    return [(read_volume_file(volumes[0]), None)]


def _volumes_instead_of_dicom(paths: list[Path]) -> list[Path]:
    """The volume files of folders in which there is no DICOM."""
    from vfnode.dicom.reading.dicom_file import has_dicom  # noqa: PLC0415
    from vfnode.dicom.reading.volume_files import volumes_in  # noqa: PLC0415

    found = [volume for path in paths if path.is_dir() for volume in volumes_in(path)]
    return [] if found and has_dicom(paths) else found


def _progress(console: Console) -> Progress:
    bar = BarColumn(bar_width=30)
    text = TextColumn("{task.description}")
    return Progress(bar, text, TimeElapsedColumn(), console=console, transient=True)


def _reporter(progress: Progress) -> Callable[[str], None]:
    """Moves the bar to a stage's place in ``STAGES``; back to its start for the next series."""
    task = progress.add_task("starting", total=len(STAGES))
    names = list(STAGES)

    def on_stage(stage: str) -> None:
        progress.update(task, completed=names.index(stage), description=STAGES[stage])

    return on_stage
