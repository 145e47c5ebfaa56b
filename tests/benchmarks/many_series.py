"""What a study of many series costs, and how long another patient waits behind it.

``python -m tests.benchmarks.many_series [COUNT ...]``: so many one-slice series of one study and a
CT of another patient are complete at the same time, the study first. Reported are seconds until
all are recorded, per series, and until the other patient's analysis has begun.
"""

import sys
import tempfile
import time
from pathlib import Path

from pydicom import Dataset, dcmread

from tests.node.factories import node_settings, received, write_ct
from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.compute.client import ComputeClient
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.jobs.intake import Intake
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import Parts
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox


class Gone:
    """A sender that has hung up."""

    def is_alive(self) -> bool:
        """It sends no more."""
        return False


def main(counts: list[int]) -> None:
    """Print a line for each count."""
    print("series  all s  ms a series  sweep ms  other patient begun s  study begun s")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(Path(folder), count))


def measure(folder: Path, count: int) -> str:
    """One line of the table."""
    settings = node_settings(folder, 11112)
    settings.node.spool.mkdir()
    inbox, ledger = Inbox(inbox_folder(settings), 0), Ledger.open(settings.database_url)
    completeness = Completeness(QuietRule(0.0, study_wait_s=600.0), time.monotonic)
    for item in (*study(folder, count), *map(dcmread, write_ct(folder / "other", 8))):
        key, _ = inbox.put(received(item))
        completeness.arrived(key, Gone())
    commitments = Commitments(CommitmentBook(ledger.engine), {}, ledger.reopen)
    compute = ComputeClient(ChildProgram(["true"], {}, 1.0))
    begun_s: list[float] = []
    intake = Intake(
        Parts(settings, inbox, ledger, compute, {}, commitments),
        completeness,
        FactsCache(),
        lambda _job_id, _priority, _run: begun_s.append(time.perf_counter() - began_s),
    )
    began_s = time.perf_counter()
    intake.sweep()
    swept_s = time.perf_counter() - began_s
    intake.take_up()
    all_s = time.perf_counter() - began_s
    assert len(ledger.jobs()) == count + 1
    ledger.close()
    each_ms = 1000 * all_s / count
    return (
        f"{count:6} {all_s:6.1f} {each_ms:12.1f} {1000 * swept_s:9.1f} "
        f"{min(begun_s):21.2f} {max(begun_s):14.2f}"
    )


def study(folder: Path, count: int) -> list[Dataset]:
    """Slices of one study, each in a series of its own."""
    (path,) = write_ct(folder / "study", 1)
    items = []
    for number in range(count):
        item = dcmread(path)
        item.PatientID, item.StudyInstanceUID = "MANY", "1.2.3"
        item.SeriesInstanceUID, item.SOPInstanceUID = f"1.2.3.{number}", f"1.2.3.4.{number}"
        items.append(item)
    return items


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [10, 100, 1000])
