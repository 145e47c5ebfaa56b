"""What the terminal says of a result."""

from dataclasses import replace

from rich.console import Console

from tests.factories import MODERATE, make_analysis
from vfnode.cli.tables import vertebrae_table
from vfnode.spine.reason import Reason


def shown(withheld: Reason | None) -> str:
    """The table of one moderately deformed body as a terminal shows it."""
    body = replace(MODERATE, withheld=withheld)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(vertebrae_table(make_analysis([body]).report.to_dict()))
    return capture.get()


def test_a_graded_body_shows_its_grade():
    """Beside its ratio and its type."""
    assert "moderate" in shown(None)
    assert "wedge" in shown(None)


def test_a_body_that_is_not_graded_shows_the_reason_and_no_grade():
    """A grade on the screen would be believed."""
    for reason in (Reason.UNCERTAIN_KEYPOINTS, Reason.METAL, Reason.CUT_VERTEBRA):
        text = shown(reason)

        assert "moderate" not in text
        assert "wedge" not in text
        assert "not graded" in text
        assert reason.code in text
