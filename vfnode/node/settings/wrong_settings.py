"""Wrong settings, a sentence each: place, value, what is allowed, an example.

What was given is left out where it may be a secret, and so is every URL with credentials.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.section import AE_TITLE

ENVIRONMENT_PREFIX = "VFNODE_"
LONGEST_SHOWN = 60  #: characters of what was given
#: In the name of a setting, or in what was given for it.
SECRET = re.compile(r"(?i)password|secret|token|://[^/]*@")
HIDDEN = "what was given (not shown, as it may hold a password)"
SECRET_FIELDS = {("database", "url")}
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")  #: of a destination
KINDS = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
#: pattern of a text -> what it means
PATTERNS = {
    AE_TITLE: "1 to 16 characters without a backslash",
    f"^$|{AE_TITLE}": "1 to 16 characters without a backslash",
    r"^[A-Za-z0-9_-]{1,40}$": "1 to 40 letters, digits, - or _",
    r"^$|^https?://[^@]+$": "an address with http:// or https://, and no user in it",
}

Place = Sequence[int | str]  #: section, key; of a destination: destinations, its number, key


def explain(error: ValidationError, given: Mapping[str, Any], root: type[BaseModel]) -> str:
    """Every wrong setting in a sentence of its own.

    Args:
        given: what the file says, to name a destination as it does.
        root: the settings as a whole.
    """
    return told([_sentence(entry, given, root) for entry in error.errors()])


def told(sentences: Sequence[str]) -> str:
    """One sentence as it is; several as a list, so that none is found at the second try only."""
    if len(sentences) == 1:
        return sentences[0]
    return "\n  ".join([f"{len(sentences)} settings are wrong:", *sentences])


def _sentence(entry: ErrorDetails, given: Mapping[str, Any], root: type[BaseModel]) -> str:
    place, where = entry["loc"], _where(entry["loc"], given)
    section = _section_of(place, root)
    field = section.model_fields.get(_key_of(place)) if section else None
    if entry["type"] == "extra_forbidden":
        known = section.model_fields if section else root.model_fields
        return f"{where}: there is no such setting{_meant(str(place[-1]), known)}"
    if entry["type"] == "missing":
        return f"{where}: must be given{_example(field)}"
    if entry["type"] == "value_error":
        words = entry["msg"].removeprefix("Value error, ")
        words = HIDDEN if SECRET.search(words) else words
        named = section.model_fields.get(words.split()[0]) if section else None
        return f"{where}: {words}{_example(field or named)}"
    allowed = _allowed(field) if field else "a table"
    shown = _shown(place, entry["input"])
    return f"{where}: {shown} is not allowed; it must be {allowed}{_example(field)}"


def _key_of(place: Place) -> str:
    rest = place[2:] if place[0] == "destinations" else place[1:]
    return str(rest[0]) if rest else ""


def _section_of(place: Place, root: type[BaseModel]) -> type[BaseModel] | None:
    """The section that a place is in; None where there is no such section."""
    if place[0] == "destinations":
        return DestinationSection if len(place) > 1 else None
    field = root.model_fields.get(str(place[0]))
    return type(field.default) if field else None


def _where(place: Place, given: Mapping[str, Any]) -> str:
    """Section and key as the file writes them, or the variable of the environment."""
    variable = ENVIRONMENT_PREFIX + "__".join(str(part) for part in place[:2]).upper()
    if place[0] != "destinations":
        words = f"[{place[0]}] {_key_of(place)}".strip()
        return f"{variable} in the environment" if variable in os.environ else words
    if len(place) == 1:
        return "[[destinations]]"
    return f"[[destinations]] {_name_of(place[1], given)} {_key_of(place)}".strip()


def _name_of(number: int | str, given: Mapping[str, Any]) -> str:
    """A destination by its name, else by its number in the file."""
    try:
        name = str(given["destinations"][number]["name"])
    except (KeyError, IndexError, TypeError):
        name = ""
    return f'"{name}"' if NAME.fullmatch(name) else f"number {int(number) + 1}"


def _meant(word: str, known: Mapping[str, FieldInfo]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else "; `vfnode settings` prints those there are"


def _shown(place: Place, value: Any) -> str:
    """Value that was given, without what may be secret."""
    key = (str(place[0]), _key_of(place))
    text = json.dumps(value, default=str, ensure_ascii=False)
    if key in SECRET_FIELDS or SECRET.search(key[1]) or SECRET.search(text):
        return HIDDEN
    if isinstance(value, dict):
        return "a table"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _allowed(field: FieldInfo) -> str:
    """Values that a setting may have, from its own type and limits."""
    kind, is_list = _kind_of(field.annotation)
    if get_origin(kind) is Literal:
        words = f"one of {', '.join(json.dumps(value) for value in get_args(kind))}"
    else:
        words = KINDS.get(kind, "a text")
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    if pattern:
        words = PATTERNS[pattern]
    words += _bounds(field.metadata)
    return f"a list, each of it {words}" if is_list else words


def _kind_of(annotation: Any) -> tuple[Any, bool]:
    """The type of a value, or of each value of a list; and whether it is a list."""
    if get_origin(annotation) in {Union, UnionType}:
        return _kind_of(next(kind for kind in get_args(annotation) if kind is not type(None)))
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], True
    return annotation, False


def _bounds(metadata: Sequence[Any]) -> str:
    found = {
        name: f"{getattr(limit, name):g}"
        for limit in metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(limit, name, None) is not None
    }
    if "ge" in found and "le" in found:
        return f" from {found['ge']} to {found['le']}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "below"}
    limits = " and ".join(f"{words[name]} {value}" for name, value in found.items())
    return f", {limits}" if limits else ""


def _example(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    value = field.examples[0] if field.examples else field.default
    if not field.examples and (field.is_required() or value in {None, "", ()}):
        return ""
    return f", for example {json.dumps(value, default=str)}"
