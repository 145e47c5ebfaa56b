"""A database that cannot be used says what is wrong and what to do, and quotes no password."""

import sqlite3

import pytest

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import InstallationError, SettingsError
from vfnode.node.jobs.ledger import Ledger

KEY = SeriesKey("ab12", "1.2", "1.2.3")


@pytest.fixture
def file(tmp_path):
    """The database of a node that has run, with some hundred jobs."""
    path = tmp_path / "vfnode.sqlite"
    ledger = Ledger.open(f"sqlite:///{path}")
    for number in range(300):
        ledger.register(f"{number:032x}", KEY, 133)
    ledger.close()
    return path


def garbage(path):
    path.write_bytes(b"this is a text file and no database " * 100)


def torn(path):
    """Pages in its middle are lost, as after a disk fault; its head is good."""
    content = bytearray(path.read_bytes())
    content[3 * 4096 : -4096] = bytes(len(content) - 4 * 4096)
    path.write_bytes(content)


def older(path):
    with sqlite3.connect(path) as database:
        database.execute("DROP INDEX vfnode_jobs_by_sender")
        database.execute("ALTER TABLE vfnode_jobs DROP COLUMN sender")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, ["is damaged", "file is not a database", "latest backup", "move it away"]),
        (torn, ["is damaged", "latest backup", "asks every archive before it sends"]),
        (older, ["made by another release", "no such column", "move it away"]),
    ],
)
def test_a_spoilt_database_is_told_in_words_with_the_way_out(file, spoil, words):
    """It stays as it is: somebody may still save what it holds."""
    spoil(file)
    before = file.read_bytes()

    with pytest.raises(InstallationError) as caught:
        Ledger.open(f"sqlite:///{file}")

    for each in [str(file), *words]:
        assert each in str(caught.value)
    assert file.read_bytes() == before


def test_a_database_that_cannot_be_written_is_told(file):
    """As on a disk that went read-only."""
    url = f"sqlite:///file:{file}?mode=ro&uri=true"

    with pytest.raises(InstallationError, match=r"cannot be written .*`mount`"):
        Ledger.open(url)


def test_a_folder_that_is_gone_is_told(tmp_path):
    """The disk may not be mounted."""
    with pytest.raises(InstallationError, match=r"cannot be opened .*is mounted"):
        Ledger.open(f"sqlite:///{tmp_path / 'absent' / 'vfnode.sqlite'}")


def test_a_server_that_is_away_is_waited_for():
    """It is no wrong setting: the same settings are right when it is back."""
    with pytest.raises(InstallationError, match=r"database server d at 127\.0\.0\.1:1") as caught:
        Ledger.open("postgresql://u:secret@127.0.0.1:1/d")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "oracle9://u:secret@x/d"])
def test_a_url_that_means_no_database_is_a_wrong_setting(url):
    """How it is written is told, and no password."""
    with pytest.raises(SettingsError) as caught:
        Ledger.open(url)

    assert "postgresql://USER:PASSWORD@HOST/" in str(caught.value)
    assert str(caught.value).startswith("database.url: ")
    assert "secret" not in str(caught.value)
