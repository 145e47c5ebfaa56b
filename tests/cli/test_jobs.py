"""``vfnode jobs`` on a terminal of 80 columns, in a pipe, and outside a spool."""

import json
import re
import subprocess
import sys

import pytest

from tests.cli.shown import assert_fits, assert_shown, on_terminal, run
from tests.node.operations.ledgers import SILENT, add_delivery, add_job, job_id, settings_of
from vfnode.node.jobs.history import EventKind
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger


@pytest.fixture
def spool(tmp_path):
    """Five jobs, one of each state; the failed one with a story."""
    settings = settings_of(tmp_path / "spool")
    ledger = Ledger.open(settings.database_url)
    add_job(ledger, 0, grade="moderate")
    add_job(ledger, 1, state="WAITING", reason=SILENT, sender="ROUTER_OF_BLOCK_2@192.0.2.9")
    thick = "three slices of 5 mm: fewer than a vertebral body needs"
    add_job(ledger, 2, state="REJECTED", grade="", reason_code="too-few-slices", reason=thick)
    add_job(ledger, 3, state="RUNNING", stage="compute", grade="", sender="")
    add_job(ledger, 4, state="FAILED", reason=SILENT)
    tell(ledger, job_id(4))
    ledger.close()
    return str(settings.node.spool)


def tell(ledger, name):
    """A delivery that was tried in vain, and a person who acted."""
    add_delivery(ledger, name, "pacs", JobState.FAILED, 500, SILENT.partition(": ")[2])
    add_delivery(ledger, name, "web", JobState.DELIVERED, 1)
    ledger.add_receipt(name, "web", "2.25.1", "1.2.840", 0)
    chosen = "slices: 1.0 mm slices against 5.0 mm slices"
    ledger.history.note(name, EventKind.RECEIVED, "133 images from CT1@192.0.2.7")
    ledger.history.note(name, EventKind.CHOSEN, chosen)
    ledger.history.note(name, EventKind.ATTEMPT, "PACS at 192.0.2.20:104 does not answer", "pacs")
    ledger.history.note(name, EventKind.ACTION, "retry by anna: the PACS is back")


def timeless(text):
    """Moments of the run itself, made equal."""
    return re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-27T12:04:00Z", text)


def test_the_list_fits_a_terminal(spool, monkeypatch):
    """What is not done says why on the line below."""
    told = on_terminal(monkeypatch, ["jobs"], VFNODE_NODE__SPOOL=spool).output

    assert_fits(told)
    assert_shown("jobs_terminal", told)


def test_the_list_in_a_pipe_is_whole(spool):
    """Whole identifiers and UIDs between tabs, and no ornament."""
    told = run(["jobs"], VFNODE_NODE__SPOOL=spool).output

    assert_shown("jobs_pipe", told)
    assert {line.count("\t") for line in told.splitlines()} == {12}
    assert job_id(4) in told


def test_the_list_as_json_is_an_object_a_line(spool):
    """With the names of the fields, for programs."""
    told = run(["jobs", "--json", "--state", "WAITING"], VFNODE_NODE__SPOOL=spool).output

    (job,) = [json.loads(line) for line in told.splitlines()]
    assert job["job_id"] == job_id(1)
    assert job["received_at"] == "2026-11-27T12:01:00Z"
    assert job["reason"] == SILENT


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--state", "WAITING", "--state", "FAILED"], [1, 4]),
        (["--grade", "moderate"], [0]),
        (["--since", "2026-11-27T12:03"], [3, 4]),
        (["--since", "2999-01-01"], []),
        (["--sender", "ROUTER_OF_BLOCK_2"], [1]),
        (["--destination", "web"], [4]),
        (["--study", "1.2.826.0.1.3"], [3]),
        (["--code", "too-few-slices"], [2]),
        (["--limit", "1"], [4]),
    ],
)
def test_each_option_chooses(spool, options, numbers):
    """As its name says."""
    told = run(["jobs", "--json", *options], VFNODE_NODE__SPOOL=spool).output

    found = [json.loads(line)["job_id"] for line in told.splitlines()]
    assert found == [job_id(number) for number in numbers]


def test_a_story_is_told_from_its_beginning(spool, monkeypatch):
    """By any unique beginning of the identifier; long answers wrap below themselves."""
    told = on_terminal(monkeypatch, ["jobs", "show", job_id(4)[:5]], VFNODE_NODE__SPOOL=spool)

    assert_fits(told.output)
    assert_shown("jobs_show", timeless(told.output))


def test_a_story_is_found_by_the_uid_of_the_study(spool):
    """As a radiologist's telephone call gives it."""
    told = run(["jobs", "show", "1.2.826.0.1.4"], VFNODE_NODE__SPOOL=spool).output

    assert job_id(4) in told


@pytest.mark.parametrize("wrong", ["yesterday", "27.11.2026"])
def test_a_since_that_is_no_moment_is_a_usage_error(spool, wrong):
    """What it may be is told."""
    told = run(["jobs", "--since", wrong], VFNODE_NODE__SPOOL=spool)

    assert told.exit_code == 2
    assert "write 2026-11-27" in " ".join(told.output.split())


@pytest.mark.parametrize("command", [["jobs"], ["jobs", "show", "abc"]])
def test_outside_a_spool_each_command_says_so(tmp_path, command):
    """Exit code 1, one sentence, nothing made; torch is not loaded."""
    program = "import sys, vfnode.cli; vfnode.cli.main()"

    told = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 1
    assert told.stderr.startswith("vfnode: there is no spool ")
    assert told.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["--help"], ["jobs", "--json"]])
def test_what_an_operator_types_most_loads_little(spool, command, monkeypatch):
    """No torch, no scipy, no workflow engine: half a second, not five."""
    monkeypatch.setenv("VFNODE_NODE__SPOOL", spool)
    program = (
        "import sys, atexit, vfnode.cli\n"
        "heavy = {'torch', 'scipy', 'dbos', 'pydicom', 'highdicom', 'pynetdicom'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "vfnode.cli.main()"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False
    )

    assert told.stderr.strip() == "[]"
