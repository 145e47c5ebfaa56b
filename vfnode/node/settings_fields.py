"""The sections of the settings: each field with its unit, its default and its reason.

The documented TOML that an operator starts from is written from these lines
(``vfnode.node.settings.describe_settings``), so it cannot disagree with them.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from vfnode.errors import GeometryError
from vfnode.node.settings_section import AE_TITLE, Section
from vfnode.spine.genant import GenantLimits

#: For which results an object is made and sent.
Wanted = Literal["always", "positives", "never"]
#: The outputs (vfnode.dicom.results.outputs) that a field of [results] switches.
OBJECTS = (
    "report",
    "picture",
    "plain_picture",
    "projection",
    "key_objects",
    "fhir",
    "hl7",
    "liaison",
)


class NodeSection(Section):
    """Who the node is and where it keeps what it holds."""

    ae_title: str = Field(
        default="VFNODE",
        pattern=AE_TITLE,
        description="AE title that senders call; 1 to 16 characters.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Loopback by default, so that a new node is not open "
        "to the network before someone decides so; 0.0.0.0 listens everywhere.",
    )
    port: int = Field(
        default=11112,
        ge=1,
        le=65535,
        description="TCP port; 11112 is the registered one above 1024.",
    )
    spool: Path = Field(
        default=Path("vfnode-spool"),
        description="Folder of the inbox, the work in progress and the database. A local disk: "
        "a network share may acknowledge what it has not stored.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level of the JSON log lines on standard error."
    )


class ComputeSection(Section):
    """The child process that holds the models."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the networks run; auto takes a GPU where there is one."
    )
    models: Path | None = Field(
        default=None,
        examples=["/path/to/models"],
        description="Folder with the model bundles; without it those of the package.",
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="CPU threads of the networks; 0 takes one per core."
    )
    time_limit_s: float = Field(
        default=300.0,
        gt=0,
        description="Seconds one series may take. A series that hangs is stopped, tried once "
        "more and then FAILED; a normal one takes seconds.",
    )
    memory_limit_mb: int = Field(
        default=12_000,
        ge=0,
        description="Megabytes of RAM that the child may hold; 0 for no limit. A series that "
        "needs more is stopped, tried once more and then FAILED, before the machine starts to "
        "kill what it finds. A chest CT of 1 mm slices takes about 3000.",
    )


class ResultsSection(Section):
    """What the results say."""

    mild: float = Field(
        default=0.80,
        gt=0,
        lt=1,
        description="Greatest height ratio of a mild fracture (Genant 1993).",
    )
    moderate: float = Field(
        default=0.74,
        gt=0,
        lt=1,
        description="Greatest height ratio of a moderate fracture: 26 % loss.",
    )
    severe: float = Field(
        default=0.60,
        gt=0,
        lt=1,
        description="Greatest height ratio of a severe fracture: 40 % loss.",
    )
    sr_series_number: int = Field(
        default=9901,
        ge=1,
        le=2**31 - 1,
        description="SeriesNumber of the report: high, so that it lists below the images.",
    )
    sc_series_number: int = Field(
        default=9902, ge=1, le=2**31 - 1, description="SeriesNumber of the picture."
    )
    language: Literal["en", "ru"] = Field(
        default="en", description="Language of the texts in report and picture; codes stay English."
    )

    fallback_encoding: str = Field(
        default="latin-1",
        description="Encoding of names and texts in images whose declared character set is "
        "missing or wrong, by its Python name, e.g. cp1251 or iso8859_5 for Russian.",
    )
    report: Wanted = Field(
        default="always",
        description="The Structured Report: always, positives (only with a height ratio at or "
        "below the moderate limit), or never.",
    )
    picture: Wanted = Field(default="always", description="The annotated picture; likewise.")
    plain_picture: Wanted = Field(
        default="always", description="The same picture without annotation; likewise."
    )
    projection: Wanted = Field(
        default="always", description="The spine as it stands, with levels and severities."
    )
    key_objects: Wanted = Field(
        default="never", description="A Key Object Selection that points at the pictures."
    )
    fhir: Wanted = Field(
        default="never",
        description="FHIR R4 DiagnosticReport and Observations: a file in the spool.",
    )
    hl7: Wanted = Field(default="never", description="HL7 v2.5.1 ORU^R01: a file in the spool.")
    liaison: Wanted = Field(
        default="never",
        description="One CSV line for a fracture liaison list: a file in the spool.",
    )

    @field_validator("fallback_encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError as error:
            raise ValueError(f"{error}; use a Python name such as cp1251") from error
        return name

    @model_validator(mode="after")
    def _ordered(self) -> ResultsSection:
        try:
            self.limits()
        except GeometryError as error:
            raise ValueError(f"{error}; set mild > moderate > severe") from error
        return self

    def limits(self) -> GenantLimits:
        """The Genant limits of this site."""
        return GenantLimits(mild=self.mild, moderate=self.moderate, severe=self.severe)

    def objects(self) -> dict[str, str]:
        """Name of each result object -> for which results the site wants it."""
        return {name: getattr(self, name) for name in OBJECTS}


class DatabaseSection(Section):
    """Where workflows, jobs and receipts are recorded."""

    url: str = Field(
        default="",
        description="SQLAlchemy URL. Empty: an SQLite file in the spool, which suits one "
        "machine; postgresql://... where several share the work.",
    )


class RetentionSection(Section):
    """How long the spool keeps what is finished."""

    keep_days: float = Field(
        default=7.0,
        gt=0,
        description="Days that the images of a finished job stay in the spool. Only those of "
        "jobs with a receipt (and a commitment, where it is asked for) from every destination "
        "are removed; failed ones stay.",
    )
    keep_results_days: float = Field(
        default=30.0,
        gt=0,
        description="Days that its results stay: longer than the images, as they are small and "
        "are what a question is about.",
    )
    room_mb: int = Field(
        default=4096,
        ge=0,
        description="Megabytes of the spool's disk below which finished jobs are removed "
        "before their days are over, the oldest first. More than receiving.reserve_mb, so that "
        "room is made before senders are turned away.",
    )
