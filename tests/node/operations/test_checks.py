"""``vfnode doctor``: what it sees in each fault, and what it says is to be done."""

import resource
import socket
import subprocess
from datetime import UTC, datetime

import pytest

from tests.cli.shown import assert_fits
from tests.node.factories import node_settings
from tests.node.operations.ledgers import add_job, settings_of
from vfnode.cli.doctor import check_lines
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.operations import checks
from vfnode.node.operations.checks import Check, days_left
from vfnode.node.operations.status import Level
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.machine import ComputeSection
from vfnode.node.settings.receiving import TLSSection
from vfnode.node.testing.ports import free_port


@pytest.fixture
def quick(monkeypatch):
    """Without the models, which take seconds to load."""
    monkeypatch.setattr(checks, "_models", lambda _settings: Check("models", Level.OK, "4"))


@pytest.fixture
def settings(tmp_path):
    """A node that has run, its spool for itself alone."""
    share = DestinationSection(name="share", kind="folder", folder=tmp_path)
    made = node_settings(tmp_path, free_port(), share)
    made.node.spool.mkdir(mode=0o700)
    ledger = Ledger.open(made.database_url)
    add_job(ledger, 0)
    ledger.close()
    return made


def seen(settings, name):
    """One of the checks."""
    return next(check for check in checks.checks(settings) if check.name == name)


def test_where_all_is_well_nothing_is_to_be_done(settings, quick):
    """But for the clock, which a test machine may have without a time server."""
    found = [check for check in checks.checks(settings) if check.name != "clock"]

    assert {check.level for check in found} == {Level.OK}
    assert {check.remedy for check in found} == {""}
    assert {check.name for check in found} >= {"spool", "database", "port", "fonts", "to share"}


def test_nothing_is_left_behind(settings, quick):
    """It is called in the midst of the work."""
    before = sorted(path.name for path in settings.node.spool.iterdir())

    list(checks.checks(settings))

    after = sorted(path.name for path in settings.node.spool.iterdir())
    assert [name for name in after if "doctor" in name] == []
    assert set(before) <= set(after)


def test_a_spool_that_is_not_there_is_not_made(tmp_path, quick):
    """The first start makes it."""
    settings = node_settings(tmp_path, free_port())

    assert seen(settings, "spool").level is Level.WARNING
    assert seen(settings, "database").level is Level.WARNING
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_others_can_read_is_told(settings, quick):
    """With the command that mends it."""
    settings.node.spool.chmod(0o755)

    found = seen(settings, "permissions")

    assert found.level is Level.WARNING
    assert found.remedy == f"chmod go= {settings.node.spool}"


def test_a_damaged_database_is_told_with_the_way_out(tmp_path, quick):
    """In the words that the node itself has for it."""
    settings = settings_of(tmp_path / "spool")
    (settings.node.spool / "vfnode.sqlite").write_bytes(b"no database " * 1000)

    found = seen(settings, "database")

    assert found.level is Level.CRITICAL
    assert "latest backup" in found.seen


def test_a_port_that_is_taken_is_told(settings, quick):
    """And how what listens there is found."""
    with socket.create_server(("127.0.0.1", settings.node.port)):
        found = seen(settings, "port")

    assert found.level is Level.CRITICAL
    assert "ss -ltnp" in found.remedy


def test_a_destination_that_is_away_is_told(settings, quick):
    """With its own words, and the AE title that it must know."""
    pacs = DestinationSection(name="pacs", ae_title="PACS", port=free_port())
    away = settings.model_copy(update={"destinations": (pacs,)})

    found = seen(away, "to pacs")

    assert found.level is Level.CRITICAL
    assert "does not answer" in found.seen
    assert "does it know VFNODE?" in found.remedy


@pytest.mark.parametrize(
    ("days", "level"), [(200, Level.OK), (20, Level.WARNING), (3, Level.CRITICAL)]
)
def test_a_certificate_is_told_before_it_ends(settings, quick, tmp_path, days, level):
    """A month before, and again a week before."""
    certificate = tmp_path / "node.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(certificate)]
    subject = ["-nodes", "-subj", "/CN=node", "-days", str(days)]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)
    with_tls = settings.model_copy(update={"tls": TLSSection(certificate=certificate)})

    assert seen(with_tls, "certificate").level is level
    assert days_left(certificate, datetime.now(UTC)) in (days - 1, days)


def test_a_certificate_that_is_none_is_told(settings, quick, tmp_path):
    """A wrong path shows at the next connection only."""
    broken = settings.model_copy(update={"tls": TLSSection(certificate=tmp_path / "absent")})

    assert seen(broken, "certificate").level is Level.CRITICAL


def test_too_few_open_files_are_told(settings, quick, monkeypatch):
    """With the line of the unit."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 256))

    found = seen(settings, "limits")

    assert found.level is Level.WARNING
    assert "LimitNOFILE=400" in found.remedy


def test_models_that_are_not_there_are_told(settings, tmp_path):
    """Loaded in a process of their own, as the node does it."""
    compute = ComputeSection(models=tmp_path / "absent")

    found = seen(settings.model_copy(update={"compute": compute}), "models")

    assert found.level is Level.CRITICAL
    assert "absent" in found.seen


def test_what_is_printed_fits_a_terminal(settings, quick):
    """The remedy stands below what was seen."""
    settings.node.spool.chmod(0o755)

    lines = [line for check in checks.checks(settings) for line in check_lines(check)]

    assert any(line.strip().startswith("-> chmod") for line in lines)
    assert_fits("\n".join(line for line in lines if str(settings.node.spool) not in line))
