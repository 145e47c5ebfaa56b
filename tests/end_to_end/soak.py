"""Send many studies from several senders at once, and see what the node loses and what it keeps.

``python -m tests.end_to_end.soak --studies 300``: a node with the shipped networks (or with a fake
compute child: ``--fake``) between four of DCMTK's senders and a real Orthanc. In the end every
instance must stand in the inbox, every study must have its results in Orthanc, each sent once, and
the memory of the node and of its compute child after the last study may be a tenth above that
after the 30th at the most.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.end_to_end.peers import Node, Orthanc, children_of, send, wait_until, write_settings
from tests.node.factories import FACTS, write_ct
from vfnode.dicom.ct_writer import write_ct_series
from vfnode.node.jobs.job_state import FINAL, JobState
from vfnode.node.testing.ports import free_port
from vfnode.spine.volume import CTVolume
from vfnode.training.synthetic.chest_ct import synthesize_chest_ct

SENDERS = 4
STUDIES = 300
FIRST_LOOK = 30  #: studies after which everything that is kept for good is there
GROWTH = 1.10
END_S = 3600.0
SLICES = 6  #: of a study for the fake child


@dataclass
class Soak:
    """One node, one PACS, several senders."""

    folder: Path
    studies: int
    fake: bool
    memory_mb: dict[int, dict[str, float]] = field(default_factory=dict)  #: after so many studies
    waiting: list[int] = field(default_factory=list)  #: numbers of the studies not yet sent

    def __post_init__(self) -> None:
        self.orthanc = Orthanc(self.folder / "orthanc")
        settings = write_settings(self.folder / "node", free_port(), self.orthanc.dicom_port)
        self.control = self.folder / "control"
        self.control.mkdir()
        self.node = Node(settings, self.control if self.fake else None)
        self.volume = None if self.fake else _small_chest()
        self.waiting = list(range(self.studies))
        self.instances = 0
        self.lock = threading.Lock()

    def run(self) -> dict[str, Any]:
        """Send everything; what came of it."""
        began_s = time.monotonic()
        self.orthanc.start()
        self.node.start()
        senders = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        try:
            for sender in senders:
                sender.start()
            self._watch()
            for sender in senders:
                sender.join()
            return self._found(time.monotonic() - began_s)
        finally:
            self.node.end()
            self.orthanc.stop()

    def _send_all(self) -> None:
        while True:
            with self.lock:
                if not self.waiting:
                    return
                number = self.waiting.pop(0)
            images = self._images(number)
            send("storescu" if number % 2 else "dcmsend", images, self.node.settings.node.port)
            with self.lock:
                self.instances += len(images)
            for path in images:
                path.unlink()

    def _images(self, number: int) -> list[Path]:
        facts = replace(FACTS, seed=f"soak {number}")
        folder = self.folder / "ct" / str(number)
        if self.volume is None:
            return write_ct(folder, SLICES, facts)
        return list(write_ct_series(self.volume, folder, facts))

    def _watch(self) -> None:
        """Note the memory each time some more studies are done, until all of them are."""
        looks = {*range(FIRST_LOOK, self.studies, FIRST_LOOK), self.studies}
        for count in sorted(looks):
            wait_until(partial(self._are_done, count), f"{count} studies", END_S)
            self.memory_mb[self._done()] = self._memory_mb()

    def _are_done(self, count: int) -> bool:
        return self._done() >= count

    def _done(self) -> int:
        return sum(job.state in FINAL for job in self.node.jobs())

    def _memory_mb(self) -> dict[str, float]:
        assert self.node.process is not None
        child = max((_resident_mb(pid) for pid in children_of(self.node.process.pid)), default=0.0)
        return {"node": _resident_mb(self.node.process.pid), "child": child}

    def _found(self, took_s: float) -> dict[str, Any]:
        jobs = self.node.jobs()
        inbox = self.node.settings.node.spool / "inbox"
        arrived, held = self.orthanc.requests, self.orthanc.instances()
        receipts = {receipt.sop_instance_uid for job in jobs for receipt in job.receipts}
        first, last = (
            self.memory_mb[count] for count in (min(self.memory_mb), max(self.memory_mb))
        )
        return {
            "studies": self.studies,
            "senders": SENDERS,
            "seconds": round(took_s),
            "instances_sent": self.instances,
            "instances_in_inbox": sum(1 for _ in inbox.glob("*/*/*/*.dcm")),
            "jobs_delivered": sum(job.state is JobState.DELIVERED for job in jobs),
            "jobs": len(jobs),
            "studies_with_results": len({each["StudyInstanceUID"] for each in held}),
            "results_in_orthanc": len(held),
            "results_with_receipt": len(receipts & {each["SOPInstanceUID"] for each in held}),
            "results_sent_twice": sum(times > 1 for times in arrived.values()),
            "memory_mb_after_studies": self.memory_mb,
            "growth": {name: round(last[name] / first[name], 3) for name in first},
        }


def is_good(found: dict[str, Any]) -> bool:
    """Whether nothing was lost or doubled, and memory is flat."""
    studies = found["studies"]
    return bool(
        found["instances_in_inbox"] == found["instances_sent"]
        and studies == found["jobs"] == found["jobs_delivered"] == found["studies_with_results"]
        and found["results_in_orthanc"] == found["results_with_receipt"]
        and found["results_sent_twice"] == 0
        and max(found["growth"].values()) <= GROWTH
    )


def _small_chest() -> CTVolume:
    """Seven bodies at 2.5 mm: as little as the networks measure something in."""
    return synthesize_chest_ct(7, spacing_mm=(2.5, 1.5, 1.5), levels=("T6", "T12")).volume


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def main() -> int:
    """Run a soak from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--fake", action="store_true", help="a compute child without networks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vfnode-soak-") as folder:
        found = Soak(Path(folder), options.studies, options.fake).run()
    print(json.dumps(found, indent=1))
    return 0 if is_good(found) else 1


if __name__ == "__main__":
    sys.exit(main())
