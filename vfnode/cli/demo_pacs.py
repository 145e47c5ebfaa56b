"""The PACS of the demonstration: a real Orthanc where it is installed, else the own storage SCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vfnode.node.testing.orthanc import PROGRAM, Orthanc

AE_TITLE = "DEMOPACS"


@dataclass(frozen=True)
class DemoPacs:
    """PACS of the demonstration: its port, and a hint on how to look at the results."""

    port: int
    look: str  #: one sentence
    orthanc: Orthanc | None = None

    def modalities_of(self, study_instance_uid: str) -> list[str]:
        """Modalities of the series of a study that Orthanc holds; none without it."""
        if self.orthanc is None:
            return []
        found = []
        for series in self.orthanc.get("/series?expand"):
            study = self.orthanc.get(f"/studies/{series['ParentStudy']}")
            if study["MainDicomTags"]["StudyInstanceUID"] == study_instance_uid:
                found.append(series["MainDicomTags"]["Modality"])
        return sorted(found)


@contextmanager
def demo_pacs(folder: Path) -> Iterator[DemoPacs]:
    """A PACS on loopback while the body runs; what it stored stays in ``folder``."""
    make = _own_scp if PROGRAM is None else _orthanc
    with make(folder) as pacs:
        yield pacs


@contextmanager
def _own_scp(folder: Path) -> Iterator[DemoPacs]:
    from vfnode.node.testing.storage_peer import StoragePeer  # noqa: PLC0415 - only without Orthanc

    peer = StoragePeer(folder, AE_TITLE)
    try:
        yield DemoPacs(peer.port, f"what the storage SCP {AE_TITLE} received: {folder}")
    finally:
        peer.stop()


@contextmanager
def _orthanc(folder: Path) -> Iterator[DemoPacs]:
    orthanc = Orthanc(folder, AE_TITLE)
    try:
        orthanc.start()
        look = f"run `{PROGRAM} {orthanc.settings_path}` again and open {orthanc.url}"
        yield DemoPacs(orthanc.dicom_port, look, orthanc)
    finally:
        orthanc.stop()
