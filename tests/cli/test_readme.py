"""The README says what the program does."""

import re

import pytest

from tests.cli.readme import README, with_section


def test_the_command_line_help_in_the_readme_is_that_of_the_program():
    """Run ``make readme`` after changing a command."""
    text = README.read_text()

    assert with_section(text) == text


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text()))
def test_every_file_that_the_readme_points_to_is_there(target):
    """A dead link is a broken promise."""
    assert (README.parent / target).exists()
