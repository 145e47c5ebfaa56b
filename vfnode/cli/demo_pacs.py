"""The PACS of the demonstration: a real Orthanc where it is installed, else the own storage SCP."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vfnode.errors import VfnodeError

AE_TITLE = "DEMOPACS"
START_S = 30.0


@dataclass(frozen=True)
class DemoPacs:
    """Where results are sent, and how a person looks at them afterwards."""

    port: int
    look: str  #: one sentence
    http_port: int | None  #: of Orthanc's REST API

    def modalities_of(self, study_instance_uid: str) -> list[str]:
        """Modalities of the series of a study that Orthanc holds; none without it."""
        if self.http_port is None:
            return []
        query = {
            "Level": "Series",
            "Expand": True,
            "Query": {"StudyInstanceUID": study_instance_uid},
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/tools/find", json.dumps(query).encode()
        )
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            return sorted(found["MainDicomTags"]["Modality"] for found in json.load(answer))


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, what: str) -> None:
    """Wait until something listens on a loopback port.

    Raises:
        VfnodeError: nothing does in time.
    """
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise VfnodeError(f"{what} does not listen on port {port} after {START_S:.0f} s")


@contextmanager
def demo_pacs(folder: Path) -> Iterator[DemoPacs]:
    """A PACS on loopback while the body runs; what it stored stays in ``folder``."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        with _own_scp(folder) as pacs:
            yield pacs
    else:
        with _orthanc(program, folder) as pacs:
            yield pacs


@contextmanager
def _own_scp(folder: Path) -> Iterator[DemoPacs]:
    from vfnode.node.testing import StoragePeer  # noqa: PLC0415 - only without Orthanc

    peer = StoragePeer(folder, AE_TITLE)
    try:
        yield DemoPacs(peer.port, f"what the storage SCP {AE_TITLE} received: {folder}", None)
    finally:
        peer.stop()


@contextmanager
def _orthanc(program: str, folder: Path) -> Iterator[DemoPacs]:
    folder.mkdir(parents=True, exist_ok=True)
    dicom_port, http_port = free_port(), free_port()
    config = folder / "orthanc.json"
    config.write_text(json.dumps(_orthanc_settings(folder, dicom_port, http_port), indent=1))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(config)], stdout=log, stderr=log)
    try:
        wait_for_port(http_port, "Orthanc")
        wait_for_port(dicom_port, "Orthanc")
        look = f"run `{program} {config}` again and open http://127.0.0.1:{http_port}"
        yield DemoPacs(dicom_port, look, http_port)
    finally:
        process.terminate()
        process.wait(START_S)


def _orthanc_settings(folder: Path, dicom_port: int, http_port: int) -> dict[str, object]:
    storage = str((folder / "storage").absolute())
    return {
        "Name": "vfnode demonstration",
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "DicomAet": AE_TITLE,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "Plugins": [],
    }
