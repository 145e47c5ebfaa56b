"""Texts open with their subject: a reader need not guess the noun."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from vfnode.cli import app
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings

ROOT = Path(__file__).parents[2]
#: "What it holds", "Whether it is", "Of the name", "As above": shared/style.md shows better ones.
SUBJECTLESS = re.compile(
    r"(What|Which|Whether|How|Why|Who|Whom|Whose|Where|When|Of|As|Likewise|It|Its|They|Those)\b"
)
#: The same for a page, where a paragraph may go on from the one before, or begin with a condition.
ELLIPTIC = re.compile(r"(What|Which|Whether|How|Why|Who|Whom|Whose|Of|As|Likewise)\b")
#: Modules and folders whose docstrings are still to be rewritten; nothing may be added.
NOT_YET = (
    "vfnode/dicom/reading/",
    "vfnode/node/delivery/",
    "vfnode/node/jobs/",
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def subjectless(path):
    """Docstrings of a module that open without a subject, each with its place."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, DOCUMENTED):
            continue
        text = ast.get_docstring(node)
        if text and SUBJECTLESS.match(text):
            yield f"{path.relative_to(ROOT)}:{node.body[0].lineno}: {text.splitlines()[0]}"


def modules():
    return sorted((ROOT / "vfnode").rglob("*.py"))


def helps(command, name="vfnode"):
    """Name of each command and option -> its help."""
    yield name, command.help or ""
    for parameter in command.params:
        yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
    for child, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{name} {child}")


def sections():
    named = {name: type(field.default) for name, field in Settings.model_fields.items()}
    return {**named, "destinations": DestinationSection}


def test_every_docstring_opens_with_its_subject():
    """Those of NOT_YET excepted."""
    found = [
        line
        for path in modules()
        if not str(path.relative_to(ROOT)).startswith(NOT_YET)
        for line in subjectless(path)
    ]

    assert found == []


@pytest.mark.parametrize("place", NOT_YET)
def test_a_place_that_is_done_leaves_the_list(place):
    """The list only grows shorter."""
    paths = [path for path in modules() if str(path.relative_to(ROOT)).startswith(place)]

    assert [line for path in paths for line in subjectless(path)]


@pytest.mark.parametrize("name", sections())
def test_every_setting_opens_with_its_subject(name):
    """Operators read these comments, and nothing else."""
    section = sections()[name]

    assert not SUBJECTLESS.match(section.__doc__ or "")
    for key, field in section.model_fields.items():
        assert field.description, key
        assert not SUBJECTLESS.match(field.description), f"{key}: {field.description}"


def test_every_command_and_option_opens_with_its_subject():
    """The help on the terminal, and docs/cli.md."""
    assert [(name, text) for name, text in helps(get_command(app)) if SUBJECTLESS.match(text)] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_every_page_opens_with_its_subject(path):
    """Each paragraph that follows an empty line; headings may ask."""
    text = path.read_text("utf-8").partition("<!-- cli-help")[0]
    openings = [part for part in re.split(r"\n\s*\n", text) if ELLIPTIC.match(part)]

    assert openings == []
