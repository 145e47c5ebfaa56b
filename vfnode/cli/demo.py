"""``vfnode demo``: a synthetic chest CT with known fractures through the whole node."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from vfnode.cli.demo_pacs import AE_TITLE, DemoPacs, demo_pacs
from vfnode.cli.tables import grade_shown, patient_line, style_of, vertebra_name
from vfnode.errors import VfnodeError
from vfnode.node.testing.ports import free_port, wait_for_port
from vfnode.spine.genant import GenantGrade, height_ratio
from vfnode.spine.vertebra import COLUMNS, ENDS, heights_mm

if TYPE_CHECKING:
    from vfnode.node.jobs.job import Job
    from vfnode.node.settings.settings import Settings
    from vfnode.training.synthetic.chest_ct import SyntheticCT
    from vfnode.training.synthetic.column3d import TrueVertebra

SEED = 7
SPACING_MM = (1.0, 0.75, 0.75)  #: slice, row, column: a usual thin chest CT
MODALITY = "MODALITY"  #: AE title of the scanner that the demonstration plays
FRACTURES = {"T7": ("wedge", 0.66), "T11": ("biconcave", 0.70), "L1": ("crush", 0.56)}
MATCH_MM = 10.0  #: a found body this near a true one is that body
ANALYSIS_LIMIT_S = 150.0


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, results and the PACS.")] = Path(
        "vfnode-demo"
    ),
) -> None:
    """Send a synthetic CT through a node into a PACS.

    The CT has known fractures; what is found is shown beside the truth. The PACS is
    an Orthanc of its own, or a storage SCP where none is installed.
    """
    from vfnode.node.delivery.storage_scu import send_files  # noqa: PLC0415

    console = Console()
    out = _fresh(out.absolute())
    with demo_pacs(out / "pacs") as pacs, console.status("drawing a synthetic chest CT") as status:
        ct, images, series_uid = _draw(out / "images")
        status.update("starting the node")
        with _node(out / "node", pacs.port) as settings:
            status.update(f"sending {len(images)} images by C-STORE")
            send_files(images, "127.0.0.1", pacs.port, AE_TITLE, MODALITY)
            send_files(images, "127.0.0.1", settings.node.port, settings.node.ae_title, MODALITY)
            status.update("waiting for the series to be quiet")
            job = _wait(settings, series_uid, status.update)
        stored = pacs.modalities_of(job.study_instance_uid)
    results = _keep_results(job, settings, out / "results")
    result = json.loads((results / "result.json").read_text("utf-8"))
    _tell(console, result, ct.truth, results, pacs, stored)


def _draw(folder: Path) -> tuple[SyntheticCT, tuple[Path, ...], str]:
    """The CT with its truth, its files, its series UID."""
    from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series  # noqa: PLC0415
    from vfnode.training.synthetic.chest_ct import synthesize_chest_ct  # noqa: PLC0415

    ct = synthesize_chest_ct(SEED, SPACING_MM, deformities=FRACTURES)
    facts = CTSeriesFacts(seed=f"demo {SEED}", acquired=datetime.now())
    return ct, write_ct_series(ct.volume, folder, facts), facts.series_instance_uid


@contextmanager
def _node(folder: Path, pacs_port: int) -> Iterator[Settings]:
    """``vfnode serve`` as a process of its own, as an administrator starts it."""
    from vfnode.node.settings.settings import load_settings  # noqa: PLC0415

    folder.mkdir(parents=True)
    path = folder / "vfnode.toml"
    port = free_port()
    path.write_text(
        f'[node]\nport = {port}\nspool = "{folder / "spool"}"\n\n'
        "[receiving]\nquiet_s = 2\nreserve_mb = 0\n\n"
        f'[[destinations]]\nname = "pacs"\nae_title = "{AE_TITLE}"\nport = {pacs_port}\n'
    )
    command = [sys.executable, "-m", "vfnode.cli", "serve", "--settings", str(path)]
    with (folder / "vfnode.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for_port(port, "the node")
        yield load_settings(path)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(settings: Settings, series_uid: str, say: Callable[[str], None]) -> Job:
    """The job of the series, when it has ended.

    Raises:
        VfnodeError: it did not end with a delivery.
    """
    from vfnode.node.jobs.admin import wait_for  # noqa: PLC0415
    from vfnode.node.jobs.job_state import JobState  # noqa: PLC0415

    job = wait_for(
        settings, series_uid, ANALYSIS_LIMIT_S, lambda now: say(f"the node works: {now.stage}")
    )
    if job.state is not JobState.DELIVERED:
        raise VfnodeError(f"the study ended as {job.state.value}: {job.reason}")
    return job


def _keep_results(job: Job, settings: Settings, folder: Path) -> Path:
    from vfnode.node.jobs.job_folder import job_folder  # noqa: PLC0415

    shutil.copytree(job_folder(settings, job.job_id).results, folder)
    return folder


def _fresh(folder: Path) -> Path:
    """An empty folder; only what an earlier demonstration left is removed.

    Raises:
        VfnodeError: the folder holds something else, or belongs to another user.
    """
    marker = folder / ".vfnode-demo"
    try:
        if folder.exists() and any(folder.iterdir()):
            if not marker.exists():
                raise VfnodeError(f"{folder} is not empty: give another folder with --out")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise VfnodeError(
            f"cannot empty {folder} ({error.strerror}), perhaps left by another user's run:"
            " remove it as that user, or give another folder with --out"
        ) from error
    return folder


def _tell(
    console: Console,
    result: dict[str, Any],
    truth: tuple[TrueVertebra, ...],
    results: Path,
    pacs: DemoPacs,
    stored: list[str],
) -> None:
    console.print(_comparison(result, truth))
    console.print(patient_line(result))
    rows = {
        "Structured Report": results / "report.sr.dcm",
        "Secondary Capture": results / "sagittal.sc.dcm",
        "picture": results / "sagittal.png",
    }
    for name, path in rows.items():
        console.print(f"{name:18}{path}", soft_wrap=True, highlight=False)
    if stored:
        console.print(f"{'PACS':18}the series of the study in Orthanc: {', '.join(stored)}")
    console.print(f"{'to look at it':18}{pacs.look}", soft_wrap=True, highlight=False)


def _comparison(result: dict[str, Any], truth: tuple[TrueVertebra, ...]) -> Table:
    """Table of found bodies beside drawn ones, cranial to caudal."""
    table = Table(
        title="found/true, heights in mm (synthetic CT)",
        title_style="dim",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for heading in ("true", "found", *COLUMNS, "ratio", "grade"):
        table.add_column(heading, justify="left" if heading in ("true", "found") else "right")
    found = result["vertebrae"]
    points = np.array([_points(vertebra) for vertebra in found]).reshape(-1, 3, 2, 3)
    for body in truth:
        centre = body.keypoints_patient_mm.mean((0, 1))
        distance = np.linalg.norm(points.mean((1, 2)) - centre, axis=1)
        if len(distance) == 0 or distance.min() > MATCH_MM:
            table.add_row(body.level, "missed", style="dim")
            continue
        index = int(distance.argmin())
        name = vertebra_name(found[index], index + 1)
        table.add_row(body.level, name, *_cells(found[index], body), style=style_of(found[index]))
    return table


def _cells(found: dict[str, Any], body: TrueVertebra) -> list[str]:
    """Three heights, ratio and grade, each as found/true."""
    true_heights = heights_mm(body.keypoints_patient_mm)
    true_ratio = height_ratio(true_heights)
    heights = [
        f"{found['heights_mm'][column]:.1f}/{true:.1f}"
        for column, true in zip(COLUMNS, true_heights, strict=True)
    ]
    true_grade = GenantGrade.from_height_ratio(true_ratio).value
    return [
        *heights,
        f"{found['height_ratio']:.2f}/{true_ratio:.2f}",
        f"{grade_shown(found)}/{true_grade}",
    ]


def _points(vertebra: dict[str, Any]) -> list[list[list[float]]]:
    named = vertebra["keypoints_patient_mm"]
    return [[named[column][end] for end in ENDS] for column in COLUMNS]
