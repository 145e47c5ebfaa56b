"""The settings of a node: one TOML file, with the environment above it.

``VFNODE_NODE__PORT=104`` in the environment overrides ``port`` of ``[node]``.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from vfnode.errors import SettingsError
from vfnode.node.settings.choice import ChoiceSection
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.machine import (
    ComputeSection,
    DatabaseSection,
    NodeSection,
    RetentionSection,
)
from vfnode.node.settings.receiving import ReceivingSection, TLSSection
from vfnode.node.settings.results import ResultsSection
from vfnode.node.settings.section import Section
from vfnode.node.settings.wrong_settings import ENVIRONMENT_PREFIX, explain

WIDTH = 88  #: characters of a comment line in the documented TOML


class Settings(BaseSettings):
    """All settings of one node; frozen."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    node: NodeSection = NodeSection()
    receiving: ReceivingSection = ReceivingSection()
    tls: TLSSection = TLSSection()
    choice: ChoiceSection = ChoiceSection()
    compute: ComputeSection = ComputeSection()
    results: ResultsSection = ResultsSection()
    database: DatabaseSection = DatabaseSection()
    retention: RetentionSection = RetentionSection()
    destinations: tuple[DestinationSection, ...] = ()

    @property
    def database_url(self) -> str:
        """The database that is used: the given one, or SQLite in the spool."""
        return self.database.url or f"sqlite:///{self.node.spool.absolute() / 'vfnode.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the library calls it by these names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, so that a unit can override one field."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Settings from a TOML file (None: defaults) and the environment.

    Raises:
        SettingsError: naming each wrong field and what to do about it.
    """
    given = _read_toml(path)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError(explain(error, given, Settings)) from None  # it quotes what was given
    except SourceError as error:
        raise SettingsError(_explain_environment(error)) from None
    names = Counter(destination.name for destination in settings.destinations)
    twice = [f'"{name}"' for name, count in names.items() if count > 1]
    if twice:
        raise SettingsError(f"[[destinations]] name: {', '.join(twice)} stands twice; rename one")
    return settings


def describe_settings() -> str:
    """The documented TOML file: every field with unit, default and reason."""
    parts = [
        "# Settings of vfnode. What is commented out is the default. The environment stands",
        f"# above this file: {ENVIRONMENT_PREFIX}NODE__PORT=104 overrides port of [node].",
    ]
    for name, field in Settings.model_fields.items():
        if name != "destinations":
            parts += ["", *_describe_section(f"[{name}]", type(field.default))]
    parts += ["", *_describe_section("[[destinations]]", DestinationSection)]
    return "\n".join(parts) + "\n"


def _read_toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from error


def _explain_environment(error: SourceError) -> str:
    """A variable for a whole section or a list is JSON; its text is not quoted."""
    field = re.search(r'field "(\w+)"', str(error))
    variable = f"{ENVIRONMENT_PREFIX}{field.group(1).upper()}" if field else "a variable"
    return (
        f"{variable} in the environment: what was given is not JSON; write it as "
        """{"port": 104}, or set one field, as in VFNODE_NODE__PORT=104"""
    )


def _describe_section(title: str, section: type[Section]) -> list[str]:
    wanted = title.startswith("[[")
    lines = [f"# {section.__doc__}", f"# {title}" if wanted else title]
    for name, field in section.model_fields.items():
        lines += textwrap.wrap(
            field.description or "", WIDTH, initial_indent="# ", subsequent_indent="# "
        )
        lines.append(f"# {name} = {_toml_value(field)}")
    return lines


def _toml_value(field: FieldInfo) -> str:
    value = field.examples[0] if field.examples else field.default
    return json.dumps(str(value) if isinstance(value, Path) else value)
