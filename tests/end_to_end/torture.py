"""Kill a node with kill -9 at random instants, again and again, and see what is left.

``python -m tests.end_to_end.torture --kills 200``: a node with a fake compute child (the
networks have no part in what is tried here) between pynetdicom's sender and a real Orthanc.
For each kill a new study is sent and the node killed at a random instant of its way; then it
is started again and the study sent once more, as a modality does. In the end every instance
that was acknowledged must stand in the inbox, and every study must have each of its two
results in Orthanc once. The seed is printed; the same seed kills at the same instants, as far
as the machine is as fast.
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

from pydicom import dcmread

from tests.end_to_end.peers import Node, Orthanc, free_port, wait_until, write_settings
from tests.node.factories import FACTS, write_ct
from vfnode.errors import DeliveryError
from vfnode.node.job import FINAL, JobState
from vfnode.node.storage_scu import send_files

SLICES = 6
LATEST_KILL_S = 3.0  #: after the first byte: the way of a study takes about so long
END_S = 600.0
RESULTS_PER_STUDY = 2


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
        settings = write_settings(self.folder / "node", free_port(), self.orthanc.dicom_port)
        settings.write_text(settings.read_text().replace("quiet_s = 1.0", "quiet_s = 0.4"))
        control = self.folder / "control"
        control.mkdir()
        (control / "slow").touch()  # so that kills meet the steps and not only the pauses
        self.node = Node(settings, control)

    def run(self, kills: int) -> dict[str, object]:
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
        time.sleep(self.random.uniform(0, LATEST_KILL_S))
        self.node.kill()
        sender.join()
        series = str(dcmread(images[0], stop_before_pixels=True).SeriesInstanceUID)
        stages = [job.stage for job in self.node.jobs() if job.series_instance_uid == series]
        self.stages[stages[-1] if stages else "receive"] += 1
        self.node.start()
        self._send(images)

    def _send(self, images: list[Path]) -> None:
        headers = [dcmread(path, stop_before_pixels=True) for path in images]
        stored = self.acknowledged.setdefault(str(headers[0].StudyInstanceUID), [])

        def note(sent: int, _total: int) -> None:
            stored.append(str(headers[sent - 1].SOPInstanceUID))

        try:
            send_files(images, "127.0.0.1", self.node.settings.node.port, "VFNODE", "TEST", note)
        except DeliveryError:
            return  # the node was killed meanwhile: what was noted was acknowledged

    def _is_done(self) -> bool:
        states = {
            (job.study_instance_uid, job.state)
            for job in self.node.jobs()
            if job.state in FINAL and job.instances == SLICES
        }
        return {study for study, _ in states} >= set(self.acknowledged)

    def _found(self, kills: int, took_s: float) -> dict[str, object]:
        inbox = self.node.settings.node.spool / "inbox"
        held = {path.stem for path in inbox.glob("*/*/*.dcm")}
        acknowledged = {uid for uids in self.acknowledged.values() for uid in uids}
        results = Counter(each["StudyInstanceUID"] for each in self.orthanc.instances())
        failed = [job.job_id for job in self.node.jobs() if job.state is JobState.FAILED]
        return {
            "seed": self.seed,
            "kills": kills,
            "seconds": round(took_s),
            "killed_in_stage": dict(self.stages),
            "acknowledged": len(acknowledged),
            "acknowledged_and_lost": len(acknowledged - held),
            "studies": len(self.acknowledged),
            "studies_without_each_result_once": sum(
                results[study] != RESULTS_PER_STUDY for study in self.acknowledged
            ),
            "failed_jobs": len(failed),
        }


def is_good(found: dict[str, object]) -> bool:
    """Whether nothing was lost, doubled or given up."""
    wrong = ("acknowledged_and_lost", "studies_without_each_result_once", "failed_jobs")
    return all(found[name] == 0 for name in wrong)


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
