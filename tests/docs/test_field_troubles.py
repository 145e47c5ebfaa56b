"""Every trouble of the field has a test that exists, or a reason."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = (TESTS.parent / "docs" / "field-troubles.md").read_text("utf-8")
ROWS = [line.strip("|").split(" | ") for line in TABLE.splitlines() if re.match(r"\| \d+ \|", line)]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_no_row_is_left_out():
    """45 rows, each with something in its last column."""
    assert [int(row[0]) for row in ROWS] == list(range(1, 46))
    assert all(len(row) == 4 and row[3].strip() for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip() for row in ROWS])
def test_the_tests_of_a_row_exist(row):
    """Each by its file and name; a row without a test says so in a sentence."""
    named = NAMED.findall(row[3])

    for file, name in named:
        text = (TESTS / file).read_text("utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}::{name}"
    assert named or row[3].strip().rstrip(" |").endswith(".")
