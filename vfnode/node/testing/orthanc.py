"""A real Orthanc on loopback: the PACS of the demonstration, and of tests and campaigns."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from vfnode.errors import VfnodeError
from vfnode.node.testing.ports import START_S, free_port, wait_for_port

#: Where it is installed; None where it is not. Debian's folder is not on a user's path.
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


class Orthanc:
    """One Orthanc with a folder, a DICOM port and an HTTP port of its own.

    Args:
        folder: of its settings, its log and what it stores; kept when it is stopped.
        ae_title: its AE title.
        more: further settings, as its documentation names them.
    """

    host = "127.0.0.1"  #: where it is reached

    def __init__(self, folder: Path, ae_title: str = "ORTHANC", **more: object) -> None:
        self.folder = folder
        self.dicom_port, self.http_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        storage = str((folder / "storage").absolute())
        settings = {
            "Name": ae_title,
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomAet": ae_title,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": True,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "Plugins": [],
            **more,
        }
        self.settings_path.write_text(json.dumps(settings, indent=1))

    @property
    def settings_path(self) -> Path:
        """Settings file of this Orthanc, to start it again by hand."""
        return self.folder / "orthanc.json"

    def start(self) -> None:
        """Start it, and wait until both of its ports answer.

        Raises:
            VfnodeError: it is not installed, or does not listen in time.
        """
        if PROGRAM is None:
            raise VfnodeError("Orthanc is not installed; apt-get install orthanc")
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command(PROGRAM), stdout=log, stderr=log, start_new_session=True
            )
        for port in (self.http_port, self.dicom_port):
            wait_for_port(port, "Orthanc", self.host)

    def stop(self) -> None:
        """End it; again has no effect."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_S)
            self.process = None

    def get(self, path: str) -> Any:
        """The JSON answer of its REST API to a path."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=START_S) as answer:
            return json.load(answer)

    @property
    def url(self) -> str:
        """Address of its REST API and web page."""
        return f"http://{self.host}:{self.http_port}"

    def _command(self, program: str) -> list[str]:
        return [program, str(self.settings_path)]
