"""How fast the port takes images, beside DCMTK's storescp and Orthanc.

``python -m tests.benchmarks.receiving``: DCMTK's storescu sends a CT of 200 slices of 512 x 512,
once alone and once from four senders at the same time, to each receiver on loopback. Reported is
the median of three; vfnode forces every instance to disk before it answers, storescp does not.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from tests.end_to_end.peers import Node, Orthanc, send, write_settings
from tests.node.factories import FACTS
from vfnode.dicom.ct_writer import write_ct_series
from vfnode.node.testing.ports import free_port, wait_for_port
from vfnode.spine.volume import CTVolume

SLICES, MATRIX, SENDERS, ROUNDS = 200, 512, 4, 3
MEGABYTE = 1_000_000


@contextmanager
def vfnode(folder: Path) -> Iterator[int]:
    """The whole node, whose compute child is held back."""
    (folder / "control").mkdir(parents=True)
    (folder / "control" / "hold-compute").touch()
    node = Node(write_settings(folder, free_port(), free_port()), folder / "control")
    node.start()
    yield node.settings.node.port
    node.end()


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """DCMTK's receiver, a process for each association."""
    folder.mkdir(parents=True)
    port = free_port()
    command = ["storescp", "--fork", "-aet", "VFNODE", "-od", str(folder), str(port)]
    process = subprocess.Popen(command)
    wait_for_port(port, "storescp")
    yield port
    process.kill()
    process.wait()


@contextmanager
def orthanc(folder: Path) -> Iterator[int]:
    """Orthanc as Debian ships it, but that it goes by any called AE title."""
    made = Orthanc(folder, DicomCheckCalledAet=False)
    made.start()
    yield made.dicom_port
    made.stop()


def studies(folder: Path) -> list[list[Path]]:
    """One CT for each sender."""
    hu = np.random.default_rng(1).integers(-1000, 1000, (SLICES, MATRIX, MATRIX), np.int16)
    volume = CTVolume(hu, np.diag([1.0, 0.7, 0.7, 1.0])[[2, 1, 0, 3]])
    return [
        list(write_ct_series(volume, folder / f"{n}", replace(FACTS, seed=f"receiving {n}")))
        for n in range(SENDERS)
    ]


def rate_mb_s(port: int, parts: list[list[Path]]) -> float:
    """Megabytes a second of several senders together."""
    size = sum(path.stat().st_size for part in parts for path in part)
    began_s = time.perf_counter()
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(partial(send, "storescu", port=port), parts))
    return size / MEGABYTE / (time.perf_counter() - began_s)


def main() -> None:
    """Print a table."""
    # DCMTK, which Orthanc is built on, else waits 40 ms before each answer (Nagle's algorithm).
    os.environ["TCP_NODELAY"] = "1"
    print("| receiver | one sender, MB/s | four senders, MB/s |\n|---|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="vfnode-receiving-") as name:
        made = studies(Path(name) / "ct")
        for receiver in (vfnode, storescp, orthanc):
            rates: dict[int, list[float]] = {1: [], SENDERS: []}
            for turn in range(ROUNDS):
                for count, found in rates.items():
                    folder = Path(name) / receiver.__name__ / f"{turn}-{count}"
                    with receiver(folder) as port:
                        found.append(rate_mb_s(port, made[:count]))
            one, several = (median(found) for found in rates.values())
            print(f"| {receiver.__name__} | {one:.0f} | {several:.0f} |", flush=True)


if __name__ == "__main__":
    main()
