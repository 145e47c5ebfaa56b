"""A database of another release is refused in words and left as it is."""

import hashlib
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy.schema import CreateTable

from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.errors import SettingsError
from vfnode.node.delivery.commitment_book import requests
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.schema import SCHEMA
from vfnode.node.tables import metadata

#: version -> digest of the tables that it means
TABLES = {2: "d9bf3d9070fc"}


@pytest.fixture
def file(tmp_path):
    """The database of a node that has run."""
    path = tmp_path / "vfnode.sqlite"
    ledger = Ledger.open(f"sqlite:///{path}")
    ledger.register("job", SeriesKey("ab12", "1.2", "1.2.3"), 133)
    ledger.close()
    return path


def newer(path):
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE vfnode_schema SET version = {SCHEMA + 1}, vfnode = '9.8.7'")


def older(path):
    with sqlite3.connect(path) as database:
        database.execute("UPDATE vfnode_schema SET version = 1, vfnode = '0.0.9'")


def unnumbered(path):
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE vfnode_schema")


OTHERS = pytest.mark.parametrize(
    ("make", "words"),
    [
        (newer, ["a newer release of vfnode (9.8.7)", f"version {SCHEMA + 1}"]),
        (older, ["an older release of vfnode (0.0.9)", "version 1"]),
        (unnumbered, ["an older release of vfnode (before tables had a number)", "version 1"]),
    ],
)


@OTHERS
def test_a_database_of_another_release_is_refused_and_left_as_it_is(file, make, words):
    """It names the file, both versions and the way out."""
    make(file)
    before = file.read_bytes()

    with pytest.raises(SettingsError) as caught:
        Ledger.open(f"sqlite:///{file}")

    for each in [str(file), *words, f"this release has {SCHEMA}", "move the database away"]:
        assert each in str(caught.value)
    assert file.read_bytes() == before


@OTHERS
def test_the_node_ends_with_the_exit_code_for_settings(file, make, words):
    """systemd does not start it again and again: a person has to decide."""
    make(file)
    environment = {"VFNODE_NODE__SPOOL": str(file.parent)}

    ended = subprocess.run(
        [sys.executable, "-m", "vfnode.cli", "jobs"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 78
    assert words[0] in ended.stderr


def test_a_database_of_this_release_opens_again(file):
    """With what it holds, as often as one likes."""
    ledger = Ledger.open(f"sqlite:///{file}")

    assert [job.job_id for job in ledger.jobs()] == ["job"]
    ledger.close()


def test_a_change_of_a_table_raises_the_version():
    """An installation must not read tables that it does not know."""
    assert requests.metadata is metadata  # tables of other modules count as well
    made = "".join(str(CreateTable(table)) for table in metadata.sorted_tables)
    digest = hashlib.sha256(made.encode()).hexdigest()[:12]

    assert TABLES.get(SCHEMA) == digest, (
        f"tables have changed: raise SCHEMA if version {SCHEMA} was ever released, and write "
        f"{digest} beside it in TABLES"
    )
