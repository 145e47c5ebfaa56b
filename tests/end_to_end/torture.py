"""Kill a node with kill -9 at random instants, again and again, and see what is left.

``python -m tests.end_to_end.torture --kills 200``: a node with a fake compute child (the
networks have no part in what is tried here) between pynetdicom's sender and a real Orthanc.
For each kill a new study is sent and a stage of its way is drawn; at a random instant after it
has come so far the node is killed, and what it was doing then is counted. Then it is started
again and the study sent once more, as a modality does. In the end every instance that was
acknowledged must stand in the inbox, every study must have been analysed whole, and each of its
two results must stand in Orthanc and have been sent there once: counted is every object that
arrives at Orthanc, before it looks whether it has it. The seed is printed; the same seed draws
the same stages and instants.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom import dcmread

from tests.end_to_end.holding_proxy import HoldingProxy
from tests.end_to_end.peers import Node, Orthanc, wait_until, write_settings
from tests.node.factories import FACTS, write_ct
from vfnode.errors import DeliveryError
from vfnode.node.delivery.answers import ALREADY_STORED
from vfnode.node.delivery.storage_scu import send_files
from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.job_state import FINAL, JobState
from vfnode.node.testing.ports import free_port

SLICES = 6
STAGES = ("receive", "queued", "compute", "build", "deliver")
LATEST_KILL_S = 0.5  #: after a stage was reached: a stage takes about so long
SLICE_PAUSE_S = 0.08  #: of the sender, so that kills meet the receiving as well
#: Of each answer of Orthanc: kills meet objects that it has stored and the node does not know of.
ANSWER_DELAY_S = 0.1
END_S = 600.0
RESULTS_PER_JOB = 2


@dataclass
class Campaign:
    """One node, one PACS, and what was acknowledged so far."""

    folder: Path
    seed: int
    acknowledged: dict[str, list[str]] = field(default_factory=dict)  #: study -> instances
    stages: Counter[str] = field(default_factory=Counter)  #: of the study's job when it was killed

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.orthanc = Orthanc(self.folder / "orthanc")
        proxy = HoldingProxy(self.orthanc.dicom_port, ANSWER_DELAY_S)
        settings = write_settings(self.folder / "node", free_port(), proxy.port)
        settings.write_text(settings.read_text().replace("quiet_s = 1.0", "quiet_s = 0.4"))
        control = self.folder / "control"
        control.mkdir()
        (control / "slow").touch()  # so that kills meet the steps and not only the pauses
        self.node = Node(settings, control)

    def run(self, kills: int) -> dict[str, Any]:
        """The whole campaign; what came of it."""
        began_s = time.monotonic()
        self.orthanc.start()
        self.node.start()
        try:
            for number in range(kills):
                self._kill_once(number)
            wait_until(self._is_done, "every study is delivered", END_S)
            return self._found(kills, time.monotonic() - began_s)
        finally:
            self.node.end()
            self.orthanc.stop()

    def _kill_once(self, number: int) -> None:
        facts = replace(FACTS, seed=f"torture {self.seed}/{number}")
        images = write_ct(self.folder / "ct" / str(number), SLICES, facts)
        sender = threading.Thread(target=self._send, args=(images,))
        sender.start()
        series = str(dcmread(images[0], stop_before_pixels=True).SeriesInstanceUID)
        stage = STAGES.index(self.random.choice(STAGES))
        wait_until(lambda: self._is_at(series) >= stage, STAGES[stage])
        time.sleep(self.random.uniform(0, LATEST_KILL_S))
        self.node.kill()
        sender.join()
        self.stages[(*STAGES, "done")[self._is_at(series)]] += 1
        self.node.start()
        self._send(images)

    def _is_at(self, series: str) -> int:
        """How far a series has come: an index into the stages, and one beyond them."""
        found = list_jobs(self.node.settings, series)
        if not found:
            return 0
        if found[-1].state in FINAL:
            return len(STAGES)
        stage = found[-1].stage
        return STAGES.index("queued" if stage == "assemble" else stage)

    def _send(self, images: list[Path]) -> None:
        headers = [dcmread(path, stop_before_pixels=True) for path in images]
        stored = self.acknowledged.setdefault(str(headers[0].StudyInstanceUID), [])

        def note(sent: int, _total: int) -> None:
            stored.append(str(headers[sent - 1].SOPInstanceUID))
            time.sleep(SLICE_PAUSE_S)

        try:
            send_files(images, "127.0.0.1", self.node.settings.node.port, "VFNODE", "TEST", note)
        except DeliveryError:
            return  # the node was killed meanwhile: what was noted was acknowledged

    def _is_done(self) -> bool:
        jobs = self.node.jobs()
        whole = {job.study_instance_uid for job in jobs if job.instances == SLICES}
        return whole >= set(self.acknowledged) and all(job.state in FINAL for job in jobs)

    def _found(self, kills: int, took_s: float) -> dict[str, Any]:
        inbox = self.node.settings.node.spool / "inbox"
        held = {path.stem for path in inbox.glob("*/*/*/*.dcm")}
        acknowledged = {uid for uids in self.acknowledged.values() for uid in uids}
        jobs = self.node.jobs()
        whole = Counter(job.study_instance_uid for job in jobs if job.instances == SLICES)
        arrived = self.orthanc.requests
        return {
            "seed": self.seed,
            "kills": kills,
            "seconds": round(took_s),
            "killed_in_stage": dict(self.stages),
            "acknowledged": len(acknowledged),
            "acknowledged_and_lost": len(acknowledged - held),
            "studies": len(self.acknowledged),
            "studies_not_analysed_whole_once": sum(
                whole[study] != 1 for study in self.acknowledged
            ),
            "analyses_of_a_part_before": sum(job.instances < SLICES for job in jobs),
            "failed_jobs": sum(job.state is not JobState.DELIVERED for job in jobs),
            "results_expected": RESULTS_PER_JOB * len(jobs),
            "results_in_orthanc": len(self.orthanc.get("/instances")),
            "results_sent": sum(arrived.values()),
            "results_sent_twice": sum(times > 1 for times in arrived.values()),
            "receipts_by_query": sum(
                receipt.status == ALREADY_STORED for job in jobs for receipt in job.receipts
            ),
        }


def is_good(found: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or given up."""
    wrong = (
        "acknowledged_and_lost",
        "studies_not_analysed_whole_once",
        "failed_jobs",
        "results_sent_twice",
    )
    in_orthanc = found["results_in_orthanc"] == found["results_expected"]
    return in_orthanc and all(found[name] == 0 for name in wrong)


def main() -> int:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier campaign")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vfnode-torture-") as folder:
        found = Campaign(Path(folder), seed).run(options.kills)
    print(json.dumps(found, indent=1))
    return 0 if is_good(found) else 1


if __name__ == "__main__":
    sys.exit(main())
