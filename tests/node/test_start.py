"""A node that is started before its machine is ready; and the code that it ends with."""

import signal
import socket
import threading
import time

import pytest

from tests.node.factories import fake_child, node_settings
from vfnode.errors import InstallationError, SettingsError
from vfnode.node import app
from vfnode.node.settings.receiving import ReceivingSection
from vfnode.node.start import Start
from vfnode.node.testing.ports import answers, free_port


@pytest.fixture(autouse=True)
def signals():
    """The handlers of this process, which a node replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def program(tmp_path):
    return fake_child(tmp_path / "control")


@pytest.fixture
def hurry(monkeypatch):
    """The patience of a node that is not waited for."""
    monkeypatch.setattr(app, "PATIENCE_S", 0.0)
    monkeypatch.setattr("vfnode.node.start.PAUSE_S", 0.05)


def test_what_is_not_ready_is_tried_until_it_is(hurry):
    """As a database server that starts beside the node."""
    answers = iter([InstallationError("away"), InstallationError("away"), "ready"])

    def attempt():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Start(patience_s=10.0).when_ready(attempt) == "ready"


def test_a_wrong_setting_is_not_tried_again():
    """It is a person's work."""
    tried = []

    def attempt():
        tried.append(1)
        raise SettingsError("wrong")

    with pytest.raises(SettingsError):
        Start(patience_s=10.0).when_ready(attempt)
    assert tried == [1]


def test_a_node_that_is_to_stop_does_not_go_on_waiting():
    """SIGTERM ends the wait at once."""
    stop = threading.Event()
    stop.set()
    began_s = time.monotonic()

    with pytest.raises(InstallationError):
        Start(60.0, stop).when_ready(lambda: (_ for _ in ()).throw(InstallationError("away")))

    assert time.monotonic() - began_s < 1


def test_a_port_that_becomes_free_is_taken(tmp_path, program, hurry):
    """The node before this one needs a moment to end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = node_settings(tmp_path, taken.getsockname()[1])
        threading.Timer(0.5, taken.close).start()

        with app.running(settings, program, Start(patience_s=30.0)):
            assert answers(settings.node.port)


def test_a_port_that_stays_taken_ends_the_start_with_1(tmp_path, program, hurry, capfd):
    """The unit begins it anew; the log says what listens there can be found with."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = app.run(node_settings(tmp_path, taken.getsockname()[1]), program)

    assert code == 1
    assert "ss -ltnp" in capfd.readouterr().err


def test_an_address_that_is_not_up_ends_the_start_with_1(tmp_path, program, hurry):
    """The network may come later than the node."""
    settings = node_settings(tmp_path, free_port())
    node = settings.node.model_copy(update={"host": "203.0.113.1"})

    assert app.run(settings.model_copy(update={"node": node}), program) == 1


def test_a_damaged_database_ends_the_start_with_1_and_the_way_out(tmp_path, program, hurry, capfd):
    """No setting is wrong; it starts by itself when the backup is there."""
    settings = node_settings(tmp_path, free_port())
    settings.node.spool.mkdir()
    (settings.node.spool / "vfnode.sqlite").write_bytes(b"no database " * 1000)

    assert app.run(settings, program) == 1
    assert "put the latest backup in its place" in capfd.readouterr().err


def test_a_database_server_that_is_away_ends_the_start_with_1(tmp_path, program, hurry, capfd):
    """And its password stands nowhere."""
    settings = node_settings(tmp_path, free_port())
    url = "postgresql://vfnode:geheim@127.0.0.1:1/vfnode"
    database = settings.database.model_copy(update={"url": url})

    assert app.run(settings.model_copy(update={"database": database}), program) == 1
    told = capfd.readouterr().err
    assert "database server vfnode at 127.0.0.1:1 does not answer" in told
    assert "geheim" not in told


def test_a_wrong_setting_ends_the_start_with_78(tmp_path, program, hurry, capfd):
    """TLS without its files: the unit does not begin it anew."""
    settings = node_settings(tmp_path, free_port())
    receiving = ReceivingSection(tls=True)

    assert app.run(settings.model_copy(update={"receiving": receiving}), program) == 78
    assert "must be given where TLS is on" in capfd.readouterr().err


def test_a_spool_that_is_no_folder_is_a_wrong_setting(tmp_path, program, hurry):
    """A person chose it."""
    settings = node_settings(tmp_path, free_port())
    settings.node.spool.write_text("a file")

    assert app.run(settings, program) == 78
