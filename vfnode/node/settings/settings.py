"""The settings of a node: one TOML file, with the environment above it.

``VFNODE_NODE__PORT=104`` in the environment overrides ``port`` of ``[node]``.
"""

from __future__ import annotations

import json
import textwrap
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
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

ENVIRONMENT_PREFIX = "VFNODE_"
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
    try:
        settings = Settings(**_read_toml(path))
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    except SourceError as error:
        raise SettingsError(f"environment: {error}; nested values are JSON") from error
    names = [destination.name for destination in settings.destinations]
    if len(set(names)) < len(names):
        raise SettingsError(f"destinations: names must differ, found {names}; rename one")
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


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(entry) for entry in error.errors())


def _explain_one(entry: ErrorDetails) -> str:
    field = ".".join(str(part) for part in entry["loc"])
    if entry["type"] == "extra_forbidden":
        return f"{field}: there is no such setting; see `vfnode settings` for those there are"
    if entry["type"] == "missing":
        return f"{field}: must be given"
    return f"{field}: {entry['msg']}, found {entry['input']!r}"


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
