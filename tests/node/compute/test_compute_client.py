"""The compute child from the node's side: one that answers, dies, hangs, or is stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from tests.end_to_end.peers import alive, children_of, wait_until
from tests.node.factories import fake_child
from vfnode.errors import (
    ComputeError,
    InstallationError,
    ModelError,
    NotEvaluableError,
    SettingsError,
)
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.compute.client import ComputeClient, NodeStoppingError

COMPUTE = {"command": "compute", "instances": []}


@pytest.fixture
def control(tmp_path):
    return tmp_path / "control"


@pytest.fixture
def client(control):
    made = ComputeClient(fake_child(control, time_limit_s=10.0))
    yield made
    made.stop()


def test_a_child_answers_one_request_after_the_other(client):
    """The same child, so that models are loaded once."""
    assert client.ask(COMPUTE) == {"reason": None}
    assert client.ask(COMPUTE) == {"reason": None}


def test_what_makes_a_series_unsuitable_keeps_its_code(client, control):
    """The child's NotEvaluableError is the node's."""
    (control / "reject").touch()

    with pytest.raises(NotEvaluableError) as caught:
        client.ask(COMPUTE)

    assert caught.value.code == "too-few-slices"


def test_after_a_crash_another_child_answers(client, control):
    """A crash ends one request, not the node."""
    (control / "crash-once").touch()

    with pytest.raises(ComputeError, match=r"died \(exit code 3\)"):
        client.ask(COMPUTE)

    assert client.ask(COMPUTE) == {"reason": None}


def test_a_child_that_hangs_is_stopped_at_the_limit(control):
    """The message names the setting."""
    client = ComputeClient(fake_child(control, time_limit_s=1.0))
    (control / "hang").touch()

    with pytest.raises(ComputeError, match=r"within 1 s \(compute\.time_limit_s\)"):
        client.ask(COMPUTE)
    client.stop()


def test_a_child_that_takes_too_much_memory_is_stopped(control):
    """Before the machine runs out of it; the message names the setting."""
    program = replace(fake_child(control), memory_limit_bytes=200_000_000)
    client = ComputeClient(program)
    (control / "eat-memory").touch()

    with pytest.raises(ComputeError, match=r"more than 200 MB \(compute\.memory_limit_mb\)"):
        client.ask(COMPUTE)
    (control / "eat-memory").unlink()

    assert client.ask(COMPUTE) == {"reason": None}
    client.stop()


@pytest.mark.parametrize("command", [[sys.executable, "-c", "import absent"], ["/no/such/program"]])
def test_a_child_that_cannot_start_is_a_fault_of_the_installation(command):
    """A missing library in the child must not look like a bad series: it waits."""
    client = ComputeClient(ChildProgram(command, {}, 10.0))

    with pytest.raises(InstallationError, match="cannot be started"):
        client.ask(COMPUTE)

    assert "cannot be started" in client.trouble
    client.stop()


def test_a_child_without_models_is_a_wrong_setting_at_the_start(client, control):
    """The node does not start; a running one says why it cannot work, and goes on by itself."""
    control.mkdir(exist_ok=True)
    (control / "not-ready").write_text("no model for the spine")
    with pytest.raises(SettingsError, match=r"compute\.models.*no model for the spine"):
        client.start()
    with pytest.raises(ModelError):
        client.ask(COMPUTE)
    told = client.trouble
    (control / "not-ready").unlink()

    client.look()

    assert told == "no model for the spine"
    assert client.trouble == ""
    assert client.ask(COMPUTE) == {"reason": None}


def test_a_memory_limit_below_what_the_models_need_is_refused_at_the_start(control):
    """With what they need; otherwise each study would be computed twice and fail."""
    client = ComputeClient(replace(fake_child(control), memory_limit_bytes=20_000_000))

    with pytest.raises(SettingsError, match=r"compute\.memory_limit_mb: 20 MB is too little"):
        client.start()
    client.stop()


def test_a_stopped_child_cannot_hold_a_long_request(control):
    """The deadline begins before the first byte: a pipe takes 64 KiB, 4000 paths are more."""
    client = ComputeClient(fake_child(control, time_limit_s=2.0))
    client.start()
    (child,) = children_of(os.getpid())
    os.kill(child, signal.SIGSTOP)
    request = {"command": "compute", "instances": [f"/spool/{n:0200}.dcm" for n in range(4000)]}
    began_s = time.monotonic()

    with pytest.raises(ComputeError, match="within 2 s"):
        client.ask(request)

    assert time.monotonic() - began_s < 10
    assert client.ask(request) == {"reason": None}  # by another child
    client.stop()


def test_a_child_that_gives_no_sign_of_life_is_ended_before_its_time(control):
    """Stopped, or held by a driver: the beat of its heart is missing."""
    client = ComputeClient(replace(fake_child(control, 300.0), silence_limit_s=3.0))
    client.start()
    (child,) = children_of(os.getpid())
    os.kill(child, signal.SIGSTOP)

    with pytest.raises(ComputeError, match="no sign of life for 3 s"):
        client.ask(COMPUTE)
    client.stop()


def test_a_child_that_works_long_beats_and_is_left_alone(control):
    """Its answer may take longer than the silence that is borne."""
    client = ComputeClient(replace(fake_child(control), silence_limit_s=2.5))
    (control / "hold-compute").touch()
    release = threading.Timer(5.0, (control / "hold-compute").unlink)
    release.start()

    assert client.ask(COMPUTE) == {"reason": None}
    client.stop()


def test_no_child_outlives_a_killed_node(control):
    """Also one that was stopped, and cannot see that its input has ended."""
    code = (
        "import pathlib, sys, time\n"
        "from tests.node.factories import fake_child\n"
        "from vfnode.node.compute.client import ComputeClient\n"
        "ComputeClient(fake_child(pathlib.Path(sys.argv[1]))).start()\n"
        "print('ready', flush=True); time.sleep(600)\n"
    )
    node = subprocess.Popen(
        [sys.executable, "-c", code, str(control)], stdout=subprocess.PIPE, text=True
    )
    assert node.stdout is not None
    assert any(line == "ready\n" for line in node.stdout)
    (child,) = children_of(node.pid)
    os.kill(child, signal.SIGSTOP)

    node.kill()
    node.wait()

    wait_until(lambda: not alive(child), "the child ends", 20)


def test_a_request_in_flight_is_let_go_when_the_node_stops(client, control):
    """It is not recorded as failed: it goes on after the next start."""
    (control / "hold-compute").touch()
    ended = []

    def ask():
        try:
            client.ask(COMPUTE)
        except BaseException as error:  # noqa: BLE001 - it is none of the Exceptions
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (control / "requests").exists():
        time.sleep(0.01)
    client.stop()
    thread.join(5)

    assert isinstance(ended[0], NodeStoppingError)
    assert not isinstance(ended[0], Exception)
