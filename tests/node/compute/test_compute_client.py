"""The compute child from the node's side: one that answers, dies, hangs, or is stopped."""

import sys
import threading
import time
from dataclasses import replace

import pytest

from tests.node.factories import fake_child
from vfnode.errors import ComputeError, NotEvaluableError
from vfnode.node.compute.client import ChildProgram, ComputeClient, NodeStoppingError

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


def test_a_child_that_cannot_start_is_a_compute_error():
    """A missing library in the child must not look like a bad series."""
    client = ComputeClient(ChildProgram([sys.executable, "-c", "import absent"], {}, 10.0))

    with pytest.raises(ComputeError):
        client.ask(COMPUTE)


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
