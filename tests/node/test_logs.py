"""The log: JSON lines, all of it; never a name."""

import json
import logging
import subprocess
import sys
import threading
import warnings

import pytest
import structlog

from tests.end_to_end.peers import wait_until
from vfnode.errors import InboxFullError
from vfnode.node.compute.child_log import relay_lines
from vfnode.node.log_repeats import KEPT, WINDOW_S, Repeats
from vfnode.node.logs import configure_logs

NAME = "Canary^Patient"


@pytest.fixture(autouse=True)
def restored():
    """The logging of the tests themselves."""
    root, shown = logging.getLogger(), warnings.showwarning
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    raisable = sys.unraisablehook
    yield
    root.handlers, root.level, sys.excepthook, threading.excepthook = before
    warnings.showwarning, sys.unraisablehook = shown, raisable
    structlog.reset_defaults()


def begin(capsys):
    """Begin to log; what is given back reads the lines since the last time."""
    configure_logs("info")
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail():
    raise ValueError(f"the patient {NAME} is odd")


def test_a_line_says_when_in_utc_and_about_what(capsys):
    """With what is bound to it."""
    lines = begin(capsys)
    with structlog.contextvars.bound_contextvars(job_id="abc", study_instance_uid="1.2"):
        structlog.get_logger("vfnode.test").info("computed", instances=3)
        logging.getLogger("sqlalchemy.pool").warning("slow %s", "pool")

    ours, foreign = lines()
    assert ours["event"] == "computed"
    assert ours["timestamp"].endswith("Z")
    assert foreign["event"] == "slow pool"
    assert {line["job_id"] for line in (ours, foreign)} == {"abc"}
    assert {line["study_instance_uid"] for line in (ours, foreign)} == {"1.2"}


def test_a_traceback_is_one_line_without_the_message_of_a_library(capsys):
    """It may quote a header; where it was raised is kept, and messages of vfnode are."""
    lines = begin(capsys)
    try:
        try:
            fail()
        except ValueError as error:
            raise InboxFullError("the disk is full") from error
    except InboxFullError:
        structlog.get_logger().exception("unexpected")
        logging.getLogger("dbos").exception("workflow failed")

    for line in lines():
        assert line["exception"][-1] == "vfnode.errors.InboxFullError: the disk is full"
        assert "ValueError" in line["exception"]
        assert any("in fail" in place for place in line["exception"])
        assert NAME not in json.dumps(line, ensure_ascii=False)


def test_a_warning_of_a_library_is_a_line_without_its_text(capsys):
    """pydicom quotes the value that it warns of."""
    lines = begin(capsys)
    warnings.warn(f"Invalid value for VR PN: {NAME}", UserWarning, stacklevel=1)

    (line,) = lines()
    assert (line["event"], line["category"]) == ("warning of a library", "UserWarning")
    assert "test_logs.py" in line["where"]
    assert NAME not in json.dumps(line)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_caught_is_a_line(capsys):
    """In a thread as well as at the end of the program."""
    lines = begin(capsys)
    logged = threading.excepthook
    thread = threading.Thread(target=fail)
    thread.run = lambda: logged_call(logged)  # type: ignore[method-assign]
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    found = lines()
    assert [line["event"] for line in found] == ["uncaught", "uncaught"]
    assert {line["level"] for line in found} == {"critical"}
    assert NAME not in json.dumps(found)


def logged_call(hook):
    """A thread's end, as the interpreter makes it."""
    try:
        fail()
    except ValueError as error:
        hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))


def test_a_library_that_reads_patients_is_not_quoted(capsys):
    """That it said something is kept, and where."""
    lines = begin(capsys)
    logging.getLogger("pydicom").error("Patient's name %s is odd", NAME)

    (line,) = lines()
    assert line["where"].startswith("test_logs:")
    assert NAME not in json.dumps(line)


def test_for_people_a_line_is_no_json(capsys):
    """``--log-format console``."""
    configure_logs("info", "console")

    structlog.get_logger().info("listening", port=104)

    told = capsys.readouterr().err
    assert "listening" in told
    assert "port=104" in told
    assert "{" not in told


def test_repeats_are_counted_and_not_written(capsys):
    """The first few of equal warnings; another destination is another line."""
    lines = begin(capsys)
    log = structlog.get_logger()
    for attempt in range(KEPT + 20):
        log.warning("does not answer", destination="pacs", attempt=attempt)
    log.warning("does not answer", destination="web", attempt=1)

    found = [line["destination"] for line in lines()]
    assert found == ["pacs"] * KEPT + ["web"]


def test_after_a_minute_the_repeats_are_told():
    """With how many were left out; what is told once for each thing is never left out."""
    clock = [0.0]
    repeats = Repeats(lambda: clock[0])

    def passed(level=logging.WARNING):
        record = logging.LogRecord("x", level, "", 0, {"event": "full"}, (), None)
        return repeats.filter(record), record.msg

    written = [passed()[0] for _ in range(KEPT + 7)]
    clock[0] = WINDOW_S + 1
    after = passed()

    assert sum(written) == KEPT
    assert after == (True, {"event": "full", "left_out_before": 7})
    assert all(passed(logging.INFO)[0] for _ in range(50))


def test_what_the_compute_child_writes_is_in_the_log(capsys):
    """Its own JSON as it is, what a library prints wrapped, a line with a name left out."""
    lines = begin(capsys)
    program = (
        "import sys, json\n"
        "print(json.dumps({'event': 'models not loaded', 'level': 'error'}), file=sys.stderr)\n"
        "print('CUDA error: out of memory', file=sys.stderr)\n"
        f"print('odd value {NAME}', file=sys.stderr)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    found: list[dict[str, object]] = []

    def three():
        found.extend(lines())
        return len(found) == 3

    relay_lines(child, lambda: {"job_id": "abc"})
    child.wait(60)
    wait_until(three, "three lines", 10)

    assert [line["event"] for line in found] == [
        "models not loaded",
        "printed by the compute child",
        "printed by the compute child",
    ]
    assert [line["level"] for line in found] == ["error", "warning", "warning"]
    assert found[1]["line"] == "CUDA error: out of memory"
    assert found[2]["line"] == "left out: it may name a patient"
    assert {line["job_id"] for line in found} == {"abc"}
