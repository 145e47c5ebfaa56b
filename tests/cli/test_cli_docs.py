"""docs/cli.md says what the program does."""

from tests.cli.cli_docs import REFERENCE, with_section


def test_the_help_in_the_reference_is_that_of_the_program():
    """Run ``make cli-docs`` after changing a command."""
    text = REFERENCE.read_text()

    assert with_section(text) == text
