"""``vfnode status`` on a terminal of 80 columns, in each fault; and ``vfnode echo``."""

import json
import re
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.shown import assert_fits, assert_shown, on_terminal, run
from tests.node.factories import fake_child, node_settings
from tests.node.operations.ledgers import SILENT, add_delivery, add_job, job_id
from tests.node.operations.orders import ANNA
from vfnode.node.app import running
from vfnode.node.delivery.folder import FolderDestination
from vfnode.node.jobs.job_state import JobState
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.operations.holding import hold
from vfnode.node.readiness import ReadinessTeller
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.testing.ports import free_port
from vfnode.node.testing.storage_peer import StoragePeer

HOME = "/var/lib/vfnode"  #: as long as the folder of the tests, so that lines break alike


@pytest.fixture
def home():
    """The folder of a node, its name as long as the usual one."""
    folder = Path(tempfile.mkdtemp(prefix="vf", dir="/tmp"))
    assert len(str(folder)) == len(HOME)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(home):
    """A node whose results go to a folder."""
    (home / "share").mkdir()
    share = DestinationSection(name="share", kind="folder", folder=home / "share")
    return node_settings(home, free_port(), share)


def environment(settings):
    """The same settings, as the command line reads them."""
    destinations = [
        json.loads(section.model_dump_json(exclude_unset=True)) for section in settings.destinations
    ]
    return {
        "VFNODE_NODE__SPOOL": str(settings.node.spool),
        "VFNODE_NODE__PORT": str(settings.node.port),
        "VFNODE_RECEIVING__RESERVE_MB": "0",
        "VFNODE_DESTINATIONS": json.dumps(destinations),
    }


def timeless(text, settings):
    """What differs from run to run, made equal."""
    text = text.replace(str(settings.node.port), "11112")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-27 12:00", text)
    text = re.sub(r"[\d.]+ GB free", "200.0 GB free", text)
    text = re.sub(r"(?<=echo )\d+ s(?= ago)", "3 s", text)
    text = re.sub(r"\d+ (d|h|min)(?= at )", "40 d", text)
    return text.replace(str(settings.node.spool.parent), HOME)


def shown(monkeypatch, settings, name):
    """The screen, held against the text file of that name; the exit code."""
    told = on_terminal(monkeypatch, ["status"], **environment(settings))
    assert_fits(told.output)
    assert_shown(name, timeless(told.output, settings))
    return told.exit_code


def fill(settings):
    """A day with a failure, a delivery that waits and two senders."""
    now = datetime.now(UTC)
    ledger = Ledger.open(settings.database_url)
    add_job(ledger, 0, created_at=now - timedelta(minutes=3, seconds=5))
    failed = {"state": "FAILED", "reason": SILENT, "updated_at": now - timedelta(hours=5)}
    add_job(ledger, 1, created_at=now - timedelta(hours=5), sender="ROUTER@192.0.2.9", **failed)
    add_job(ledger, 2, state="WAITING", created_at=now - timedelta(minutes=20, seconds=5))
    add_delivery(ledger, job_id(2), "share", JobState.WAITING)
    ledger.close()


def test_a_node_that_works_is_told_in_one_screen(settings, tmp_path, monkeypatch):
    """Exit code 0 for monitoring."""
    with running(settings, fake_child(tmp_path / "control")):
        run(["echo", "share"], **environment(settings))
        code = shown(monkeypatch, settings, "status_well")

    assert code == 0


def test_a_day_with_trouble_is_a_warning(settings, tmp_path, monkeypatch):
    """Failures by reason, the queue with its oldest, the last study of each sender."""
    with running(settings, fake_child(tmp_path / "control")):
        fill(settings)
        shutil.rmtree(settings.node.spool.parent / "share")
        run(["echo", "share"], **environment(settings))
        code = shown(monkeypatch, settings, "status_trouble")

    assert code == 1


def test_a_held_destination_is_a_warning(settings, tmp_path, monkeypatch):
    """So that nobody forgets it."""
    with running(settings, fake_child(tmp_path / "control")):
        hold(settings, "share", ANNA)
        code = shown(monkeypatch, settings, "status_held")

    assert code == 1


def test_a_node_that_does_not_run_is_critical(settings, tmp_path, monkeypatch):
    """Whatever its database says."""
    with running(settings, fake_child(tmp_path / "control")):
        pass

    assert shown(monkeypatch, settings, "status_down") == 2


def test_an_inbox_that_is_gone_is_critical(settings, tmp_path, monkeypatch):
    """Senders are turned away while everything else looks well."""
    with running(settings, fake_child(tmp_path / "control")):
        shutil.rmtree(settings.node.spool / "inbox")
        code = shown(monkeypatch, settings, "status_inbox")

    assert code == 2


def test_a_child_that_cannot_start_is_critical(settings, tmp_path, monkeypatch):
    """With the reason that the node gives."""
    with running(settings, fake_child(tmp_path / "control")):
        teller = ReadinessTeller(settings.node.spool, lambda _line: None)
        teller.tell("the models are damaged")
        code = shown(monkeypatch, settings, "status_compute")

    assert code == 2


def test_a_database_that_is_damaged_is_critical(settings, tmp_path, monkeypatch):
    """The rest is told as far as it goes."""
    settings.node.spool.mkdir()
    (settings.node.spool / "vfnode.sqlite").write_bytes(b"no database " * 1000)

    assert shown(monkeypatch, settings, "status_database") == 2


def test_outside_a_spool_there_is_no_status(tmp_path):
    """Exit code 1, one sentence, nothing made."""
    told = run(["status"], VFNODE_NODE__SPOOL=str(tmp_path / "absent"))

    assert "there is no spool" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_status_is_an_object_for_programs(settings, tmp_path):
    """With the level of each part as a number."""
    with running(settings, fake_child(tmp_path / "control")):
        told = json.loads(run(["status", "--json"], **environment(settings)).output)

    assert {part["name"]: part["level"] for part in told["parts"]} == {
        "receiver": 0,
        "compute": 0,
        "queue": 0,
        "disk": 0,
        "failures": 0,
    }


def test_an_echo_says_what_a_pacs_would_not_take(tmp_path):
    """C-ECHO is answered, and the association shows what is accepted."""
    sc = "1.2.840.10008.5.1.4.1.1.7"
    peer = StoragePeer(tmp_path / "pacs", refused=[sc])
    section = DestinationSection(name="pacs", ae_title="PACS", port=peer.port)
    settings = node_settings(tmp_path, free_port(), section)

    told = run(["echo", "pacs"], **environment(settings))
    peer.stop()
    silent = run(["echo", "pacs"], **environment(settings))

    assert told.exit_code == 0
    assert "answers" in told.output
    assert "accepts no Secondary Capture Image Storage" in " ".join(told.output.split())
    assert peer.stored == []
    assert silent.exit_code == 1
    assert "does not answer" in silent.output


def test_an_echo_wants_a_destination_that_there_is(settings):
    """The names that there are, are told."""
    told = run(["echo", "pacs"], **environment(settings))

    assert "there are: share" in str(told.exception)
    assert FolderDestination(settings.destinations[0], settings).echo() == ""
