"""Wall and CPU time of each stage and peak memory of one study: cold as a command, warm in place.

    make bench CT=../shared/data/lidc-idri-0314

Cold starts ``vfnode analyze`` as a new process; warm repeats reading, analysis and building in a
process that holds the models, as the compute child of ``vfnode serve`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.results.outputs import build_and_write
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import load_pipeline

MIB = 1 << 20


@dataclass(frozen=True)
class Run:
    """One analysis, by the operating system's account."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    stages: dict[str, tuple[float, ...]]  #: name -> wall and, where known, CPU seconds


def cold(images: Path, out: Path) -> Run:
    """The whole command, from the start of the interpreter to the last file."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "vfnode.cli", "analyze", str(images), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    if status != 0:
        sys.exit(f"vfnode analyze ended with status {status}")
    timing = json.loads((out / "result.json").read_text())["timing_s"]
    stages: dict[str, tuple[float, ...]] = {
        name: (value,) for name, value in timing.items() if name != "total"
    }
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MIB, stages)


class Stopwatch:
    """Wall and CPU seconds between the stages that a pipeline announces."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[float, ...]] = {}
        self._name, self._began = "", (0.0, 0.0)

    def enter(self, name: str) -> None:
        """End the running stage and begin another; an empty name only ends."""
        now = (time.perf_counter(), time.process_time())
        if self._name:
            wall, cpu = self.stages.get(self._name, (0.0, 0.0))
            spent = (wall + now[0] - self._began[0], cpu + now[1] - self._began[1])
            self.stages[self._name] = spent
        self._name, self._began = name, now


def warm(images: Path, out: Path, repeats: int) -> list[Run]:
    """Read, analyse and build with loaded models; the first, unwarmed round is not counted."""
    pipeline = load_pipeline(models_dir())
    runs = []
    for _ in range(repeats + 1):
        watch = Stopwatch()
        watch.enter("read")
        series = read_ct_series([images])[0]
        analysis = pipeline.analyze(series.volume, watch.enter)
        watch.enter("build")
        build_and_write(analysis, series, out)
        watch.enter("")
        wall, cpu = (sum(values) for values in zip(*watch.stages.values(), strict=True))
        runs.append(Run(wall, cpu, _own_peak_mib(), watch.stages))
    return runs[1:]


def _own_peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def _line(name: str, spent: Sequence[tuple[float, ...]]) -> str:
    """Medians of wall and CPU seconds."""
    medians = [statistics.median(values) for values in zip(*spent, strict=True)]
    parts = [
        f"{what} {value:6.2f} s" for what, value in zip(("wall", "CPU"), medians, strict=False)
    ]
    return f"  {name:12} {'   '.join(parts)}"


def show(title: str, runs: list[Run]) -> None:
    """Medians over the runs, a line each."""
    print(f"\n{title}, median of {len(runs)}")
    for name in runs[0].stages:
        print(_line(name, [run.stages[name] for run in runs]))
    print(_line("all", [(run.wall_s, run.cpu_s) for run in runs]))
    print(f"  peak memory  {max(run.peak_mib for run in runs):.0f} MiB")


def main() -> None:
    """Measure one CT folder cold and warm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("images", type=Path, help="DICOM folder of one CT")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        show("cold: vfnode analyze", [cold(args.images, out) for _ in range(args.repeats)])
        show("warm: models loaded", warm(args.images, out, args.repeats))


if __name__ == "__main__":
    main()
