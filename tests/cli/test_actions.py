"""Commands that act: what they say, and that they refuse to guess."""

import pytest

from tests.cli.shown import run
from tests.node.operations.ledgers import add_job, job_id, settings_of
from vfnode.node.jobs.ledger import Ledger

PACS = '[{"name": "pacs", "ae_title": "PACS", "port": 104}]'


@pytest.fixture
def spool(tmp_path):
    """A node with one delivered job."""
    settings = settings_of(tmp_path / "spool")
    ledger = Ledger.open(settings.database_url)
    add_job(ledger, 0)
    ledger.close()
    return str(settings.node.spool)


def test_a_destination_is_held_and_released_in_words(spool):
    """Twice is no error: what is wanted is so."""
    environment = {"VFNODE_NODE__SPOOL": spool, "VFNODE_DESTINATIONS": PACS}

    told = [
        run([command, "pacs", "--by", "anna", "--reason", "moves"], **environment).output
        for command in ("hold", "hold", "release", "release")
    ]

    assert told == [
        "pacs is held\n",
        "pacs was held already\n",
        "pacs is released\n",
        "pacs was not held\n",
    ]


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (["retry"], "JOB... or --all"),
        (["deliver", "--to", "pacs"], "JOB... or --since DATE"),
        (["reanalyse", "--reason", "new models"], "JOB... or --since DATE"),
        (["purge"], "JOB... or --before DATE"),
    ],
)
def test_a_command_without_jobs_does_not_take_all_of_them(spool, command, how):
    """It says how they are chosen, and ends with 2."""
    told = run(command, VFNODE_NODE__SPOOL=spool, VFNODE_DESTINATIONS=PACS)

    assert told.exit_code == 2
    assert how in " ".join(told.output.split())


def test_analysing_anew_wants_a_reason(spool):
    """It replaces what a radiologist may have read."""
    told = run(["reanalyse", job_id(0)], VFNODE_NODE__SPOOL=spool)

    assert told.exit_code == 2
    assert "--reason" in told.output
