"""Settings of the results: limits, objects, language."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model, field_validator, model_validator

from vfnode.dicom.results.output_files import OUTPUTS, Output
from vfnode.errors import GeometryError, MissingExtraError
from vfnode.extras import require_extra
from vfnode.node.settings.section import Section
from vfnode.spine.genant import GenantLimits

#: For which results an object is made and sent.
Wanted = Literal["always", "positives", "never"]


class _Fixed(Section):
    """Fields that every site has, whatever objects there are."""

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
    graded_levels: tuple[str, str] = Field(
        default=("T4", "L4"),
        description="First and last vertebral level that is graded. Genant's grading was made "
        "for T4 to L4; bodies outside are measured and shown. C1 and C2 are never graded.",
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
    reformat_series_number: int = Field(
        default=9904, ge=1, le=2**31 - 1, description="SeriesNumber of the sagittal planes."
    )
    language: Literal["en", "ru"] = Field(
        default="en", description="Language of the texts in report and picture; codes stay English."
    )

    fallback_encoding: str = Field(
        default="latin-1",
        description="Encoding of names and texts in images whose declared character set is "
        "missing or wrong, by its Python name, e.g. cp1251 or iso8859_5 for Russian.",
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
    def _ordered(self) -> _Fixed:
        try:
            self.limits()
        except GeometryError as error:
            raise ValueError(
                f"{error}; set mild > moderate > severe, first level above last"
            ) from error
        return self

    @model_validator(mode="after")
    def _can_be_made(self) -> _Fixed:
        for output in OUTPUTS:
            wanted = getattr(self, output.name)
            if output.extra and wanted != "never":
                try:
                    require_extra(output.extra, f"{output.name} = {wanted!r}")
                except MissingExtraError as error:
                    raise ValueError(f"{error}, or set it to 'never'") from error
        return self

    def limits(self) -> GenantLimits:
        """The Genant limits of this site."""
        first, last = self.graded_levels
        return GenantLimits(self.mild, self.moderate, self.severe, first, last)

    def objects(self) -> dict[str, str]:
        """Name of each result object -> for which results the site wants it."""
        return {output.name: getattr(self, output.name) for output in OUTPUTS}


def _switch(output: Output) -> tuple[Any, Any]:
    """The field that says for which results an output is made."""
    kept = "" if output.is_dicom else " A file in the spool."
    needs = f" Needs the extra [{output.extra}]." if output.extra else ""
    return Wanted, Field(default=output.when.value, description=output.description + kept + needs)


if TYPE_CHECKING:
    ResultsSection = _Fixed
else:
    ResultsSection = create_model(
        "ResultsSection",
        __base__=_Fixed,
        __doc__="Content of the results: limits of the grades, language, and for every object the "
        "results that it is made of: 'always', 'positives' (a moderate or severe vertebra, "
        "or a borderline one) or 'never'.",
        **{output.name: _switch(output) for output in OUTPUTS},
    )
