"""CPU time of the result objects of 17 vertebrae, warm: ``python -m tests.benchmarks.results``.

SR and three pictures are to cost at most 0.6 CPU s (performance of one core, nothing else
running); the check, the files' encoding, PNG and JSON are counted beside them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.factories import (
    CREATED,
    MILD,
    MODELS,
    NORMAL,
    PITCH_MM,
    SEVERE,
    make_finding,
    make_sagittal,
    make_series,
    make_volume,
)
from vfnode.dicom.results.outputs import build_and_write, build_objects, result_pictures
from vfnode.dicom.results.picture_sc import source_items
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import ResultSettings
from vfnode.spine.curve import SpineCurve
from vfnode.spine.report import Analysis, FractureReport

VERTEBRAE = 17
RUNS = 7


def make_long_analysis() -> Analysis:
    """A made-up spine of 17 bodies."""
    sagittal = make_sagittal(VERTEBRAE * PITCH_MM + 10, make_volume((190, 200, 200)))
    bodies = (NORMAL, MILD, SEVERE)
    findings = tuple(
        make_finding(bodies[index % 3], sagittal, 15 + PITCH_MM * index)
        for index in range(VERTEBRAE)
    )
    line = SpineCurve(sagittal.frames[:, :3, 3].copy(), sagittal.step_mm)
    return Analysis(FractureReport(MODELS, line, findings), sagittal)


def cpu_s(work: Callable[[], object]) -> float:
    """Median CPU seconds of some runs after a warm one."""
    work()
    times = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return median(times)


def main() -> None:
    """Print both figures."""
    analysis, settings = make_long_analysis(), ResultSettings()
    with tempfile.TemporaryDirectory() as folder:
        series = make_series(Path(folder) / "ct", make_volume((190, 200, 200)))

        def objects() -> object:
            context = ResultContext(analysis, series, settings, CREATED)
            pictures = result_pictures(analysis, series, settings, CREATED)
            return build_objects(Building(context, pictures, source_items(series)))

        def files() -> object:
            return build_and_write(analysis, series, Path(folder) / "out", settings, CREATED)

        print(f"SR and three pictures of {VERTEBRAE} vertebrae: {cpu_s(objects):.2f} CPU s")
        print(f"with check, encoding, PNG, JSON and writing: {cpu_s(files):.2f} CPU s")


if __name__ == "__main__":
    main()
