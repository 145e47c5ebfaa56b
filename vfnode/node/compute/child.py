"""The compute child: holds the models warm, answers one JSON line with one.

A request is ``{"command": "compute" | "build", "instances": [paths], "analysis": folder,
"results": folder, "created": local time, "replaces": report or null, "notes": [codes]}``, or
``{"command": "compare", "pairs": [[path, path]]}``; the answer is
``{"result": {...}}`` or ``{"error": {"name": ..., "code": ..., "detail": ...}}``; an error
before the first request says why it cannot work at all. The only
module of the node that imports torch, and no other one imports it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from vfnode.dicom.reading.same_image import is_same_image
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.templates import templates_dir
from vfnode.errors import (
    InstallationError,
    NotEvaluableError,
    VfnodeError,
    fault_of_installation,
)
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import load_pipeline
from vfnode.node.compute.analysis_store import load_analysis, save_analysis
from vfnode.node.compute.child_pipes import AnswerPipe, lines_of_parent
from vfnode.node.compute.series_reader import Reading, SeriesReader
from vfnode.node.logs import configure_logs
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis
from vfnode.spine.volume import CTVolume

Request = dict[str, Any]

log = structlog.get_logger()


class Analyzer(Protocol):
    """Analyzer of volumes: the pipeline, or a fake."""

    def analyze(self, volume: CTVolume) -> Analysis:
        """Analyse a volume; see :meth:`vfnode.inference.pipeline.Pipeline.analyze`."""


class Computer:
    """Work of the child, one request after the other.

    Args:
        load: makes the pipeline; called until it has been made once.
        settings: of the result objects.
        reader: of the images.
    """

    def __init__(
        self,
        load: Callable[[], Analyzer],
        settings: ResultSettings,
        reader: SeriesReader | None = None,
    ) -> None:
        self._load = load
        self._settings = settings
        self._pipeline: Analyzer | None = None
        self._reader = reader or SeriesReader(Reading())

    def prepare(self) -> dict[str, Any]:
        """Load the models and look whether objects can be made, before a study needs them.

        Raises:
            ModelError: the models are missing or damaged, or the device is not there.
            ResultError: the templates are missing.
        """
        self.warm()
        templates_dir()
        return {}

    def warm(self) -> Analyzer:
        """Load the models, the first time.

        Raises:
            ModelError: they are missing or damaged.
        """
        self._pipeline = self._pipeline or self._load()
        return self._pipeline

    def answer(self, request: Request) -> dict[str, Any]:
        """Do what a request asks.

        Raises:
            VfnodeError: as the library says; the series is at fault, not the child.
        """
        return _COMMANDS[request["command"]](self, request)

    def compute(self, request: Request) -> dict[str, Any]:
        """Read a series, analyse it, write the analysis: also that of a series that is refused."""
        began_s = time.perf_counter()
        found = self._reader.read(request["instances"])
        read_s = time.perf_counter() - began_s
        analysis = found if isinstance(found, Analysis) else self.warm().analyze(found.volume)
        notes = tuple(Reason.from_code(code) for code in request.get("notes", ()))
        analysis = analysis.with_timing("read", read_s).with_quality(notes)
        save_analysis(analysis, Path(request["analysis"]))
        reason = analysis.report.reason
        return {"reason": reason.to_dict() if reason else None}

    def build(self, request: Request) -> dict[str, Any]:
        """Make the result objects of an analysis that stands on disk."""
        analysis = load_analysis(Path(request["analysis"]))
        series = self._reader.source(request["instances"], analysis)
        created = datetime.fromisoformat(request["created"])
        replaces = Path(request["replaces"]) if request.get("replaces") else None
        folder = Path(request["results"])
        build_and_write(analysis, series, folder, self._settings, created, replaces)
        self._reader.forget()
        return {}

    def compare(self, request: Request) -> dict[str, Any]:
        """True for each pair of files that show the same image; no decoder runs in the node."""
        return {"same": [is_same_image(Path(a), Path(b)) for a, b in request["pairs"]]}


_COMMANDS: dict[str, Callable[[Computer, Request], dict[str, Any]]] = {
    "compute": Computer.compute,
    "build": Computer.build,
    "compare": Computer.compare,
}


def main(config: dict[str, Any]) -> None:
    """Answer requests until the input ends."""
    configure_logs(config["log_level"])
    lines, node = lines_of_parent(), AnswerPipe()
    models = Path(config["models"]) if config["models"] else None
    reading = Reading(GenantLimits(**config["limits"]), config["fallback_encoding"])
    settings = ResultSettings(**config["results"])
    computer = Computer(
        lambda: load_pipeline(models_dir(models), config["device"], reading.limits),
        settings,
        SeriesReader(reading),
    )
    with node.beating():
        started = _attempt(computer.prepare)
    node.send(started if "error" in started else {"ready": True})
    if "error" in started:
        return
    for line in lines:
        request = json.loads(line)
        with node.beating():
            answer = _attempt(partial(computer.answer, request))
        node.send(answer)


def _attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of a piece of work, or why there is none."""
    try:
        return {"result": work()}
    except NotEvaluableError as error:
        return _error(error, error.code, error.detail)
    except VfnodeError as error:
        return _error(error, "", str(error))
    except Exception as error:
        fault = fault_of_installation(error)
        if fault:
            return _error(InstallationError(fault), "", fault)
        log.exception("unexpected")
        return _error(error, "", "")


def _error(error: Exception, code: str, detail: str) -> dict[str, Any]:
    return {"error": {"name": type(error).__name__, "code": code, "detail": detail}}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
