"""The README is short, and every page is reached from it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "models/*/CARD.md")
    for path in sorted(ROOT.glob(pattern))
]
LINES = 200


def links_of(page):
    """Local files that a page points to."""
    return re.findall(r"\]\((?!http)([^)#]+)", (ROOT / page).read_text("utf-8"))


def test_the_readme_is_read_in_one_sitting():
    """What it is, for whom, the two commands; the rest is a page of its own."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_points_to_is_there(page):
    """A dead link is a broken promise."""
    for target in links_of(page):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_every_page_of_docs_stands_in_its_index():
    """Else nobody finds it."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert pages == {target for target in links_of("docs/README.md") if "/" not in target}
