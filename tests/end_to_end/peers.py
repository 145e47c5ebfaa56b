"""The real programs around a node in tests: Orthanc, DCMTK's senders, the node itself."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vfnode.node.jobs.admin import list_jobs
from vfnode.node.jobs.job import Job
from vfnode.node.settings.settings import Settings, load_settings
from vfnode.node.testing import orthanc
from vfnode.node.testing.ports import answers

HERE = Path(__file__).parent
FAKE_COMPUTE = HERE.parent / "node" / "fake_compute.py"
START_S, WAIT_S = 180.0, 180.0  #: generous: nothing passes by waiting, and machines are shared

#: Notes every object that arrives whole, before Orthanc looks whether it has it already.
COUNT_REQUESTS = """
function ReceivedInstanceFilter(dicom, origin)
  local notes = io.open("{notes}", "a")
  notes:write(dicom.SOPInstanceUID .. "\\n")
  notes:close()
  return true
end
"""


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.05)


class Orthanc(orthanc.Orthanc):
    """The product's Orthanc, which here counts what is sent to it, repeats included."""

    def __init__(self, folder: Path, **more: object) -> None:
        self._notes = folder / "requests"
        script = folder / "count.lua"
        super().__init__(folder, "ORTHANC", LuaScripts=[str(script)], **more)
        script.write_text(COUNT_REQUESTS.format(notes=self._notes))

    def stop(self) -> None:
        """As a power cut would: a clean stop takes seconds, and a PACS may go down in any way."""
        if self.process is not None:
            self.process.kill()
        super().stop()

    def signal(self, number: int) -> None:
        """Send it a signal, to stop it in mid-work and to let it go on."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def requests(self) -> Counter[str]:
        """SOP instance UID -> how often it was sent here and arrived whole."""
        return Counter(self._notes.read_text().split() if self._notes.exists() else ())

    def instances(self) -> list[dict[str, str]]:
        """Main tags of every instance that it holds."""
        return [
            self.get(f"/instances/{instance}/simplified-tags")
            for instance in self.get("/instances")
        ]


@dataclass
class Node:
    """A node in a process of its own, with the models or with a fake compute child."""

    settings_path: Path
    control: Path | None = None  #: folder that tells the fake compute child what to do
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)  #: above that of the test

    @property
    def log(self) -> str:
        """What the node has said so far."""
        return self.settings_path.with_suffix(".log").read_text()

    @property
    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    def start(self) -> None:
        if self.control is None:
            command = ["-m", "vfnode.cli", "serve", "--settings", str(self.settings_path)]
        else:
            module = "tests.end_to_end.run_node"
            command = ["-m", module, str(self.settings_path), str(self.control)]
        with self.settings_path.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=log,
                stderr=log,
                cwd=HERE.parents[1],
                env={**os.environ, **self.environment},
            )
        wait_until(self._listens, "the node listens", START_S)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return answers(self.settings.node.port)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)

    def kill(self) -> None:
        """SIGKILL of the node alone; its child has to notice by itself."""
        assert self.process is not None
        children = children_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in children), "the children end as well")

    def end(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def jobs(self) -> list[Job]:
        return list_jobs(self.settings)

    def wait_for_stage(self, stage: str) -> None:
        wait_until(lambda: any(job.stage == stage for job in self.jobs()), stage)

    def wait_for_state(self, state: str) -> Job:
        """The job when it stands so; at once a failure of the test if the job fails."""

        def stands() -> bool:
            states = {job.state.value: job.reason for job in self.jobs()}
            assert state == "FAILED" or "FAILED" not in states, states
            return state in states

        wait_until(stands, state)
        return self.jobs()[0]


def children_of(pid: int) -> list[int]:
    """Process identifiers of the children of a process, and of theirs."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        if parent == pid:
            found += [int(stat.parent.name), *children_of(int(stat.parent.name))]
    return found


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def write_settings(folder: Path, port: int, destination_port: int) -> Path:
    """Settings of a node with a short quiet time and one destination."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "node.toml"
    path.write_text(
        f"""
[node]
port = {port}
spool = "{folder / "spool"}"
log_level = "debug"
[receiving]
quiet_s = 1.0
reserve_mb = 0

[[destinations]]
name = "pacs"
ae_title = "ORTHANC"
port = {destination_port}
first_pause_s = 0.5
timeout_s = 20
"""
    )
    return path


def send(program: str, paths: list[Path], port: int, *options: str) -> None:
    """Send files with a sender of DCMTK, Nagle's algorithm off as tuned sites have it."""
    command = [program, "-aet", "MODALITY", "-aec", "VFNODE", *options]
    subprocess.run(
        [*command, "127.0.0.1", str(port), *map(str, paths)],
        check=True,
        capture_output=True,
        env={**os.environ, "TCP_NODELAY": "1"},
    )
