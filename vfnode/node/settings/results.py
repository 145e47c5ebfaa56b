"""Settings of the results: limits, objects, language."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, field_validator, model_validator

from vfnode.errors import GeometryError, MissingExtraError
from vfnode.extras import require_extra
from vfnode.node.settings.section import Section
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
        default=9902, ge=1, le=2**31 - 1, description="SeriesNumber of the pictures."
    )
    ko_series_number: int = Field(
        default=9903, ge=1, le=2**31 - 1, description="SeriesNumber of the Key Object Selection."
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

    @model_validator(mode="after")
    def _can_be_made(self) -> ResultsSection:
        for name in ("fhir", "hl7"):
            if getattr(self, name) != "never":
                try:
                    require_extra("his", f"{name} = {getattr(self, name)!r}")
                except MissingExtraError as error:
                    raise ValueError(f"{error}, or set it to 'never'") from error
        return self

    def limits(self) -> GenantLimits:
        """The Genant limits of this site."""
        return GenantLimits(mild=self.mild, moderate=self.moderate, severe=self.severe)

    def objects(self) -> dict[str, str]:
        """Name of each result object -> for which results the site wants it."""
        return {name: getattr(self, name) for name in OBJECTS}
