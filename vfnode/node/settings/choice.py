"""Settings of the choice of series, and of their order."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from vfnode.dicom.reading.series_tags import TAGS
from vfnode.node.settings.section import Section


class ChoiceSection(Section):
    """Choice of the series to analyse. Rules are 'Attribute=regular expression'."""

    series: Literal["best", "all"] = Field(
        default="best",
        description="Number of series analysed in a study. 'best': one, the series that ranks "
        "highest by orientation, slices, coverage, kernel and contrast; the reason "
        "is stored. 'all': every series.",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Series that may be analysed, as 'BodyPartExamined=CHEST|THORAX'; empty takes "
        f"all. Attributes: {', '.join(TAGS)}.",
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        description="Series that are never analysed, as 'SeriesDescription=phantom|test'.",
    )
    urgent: tuple[str, ...] = Field(
        default=(),
        description="Series that are analysed before all others, as 'StationName=^ER_CT'.",
    )
    order: Literal["oldest", "newest"] = Field(
        default="oldest",
        description="Order of the waiting series: 'oldest' or 'newest' first. 'newest' suits a "
        "site where a backlog must not hold up the patient who is still here; "
        "nothing is ever left out.",
    )

    @field_validator("include", "exclude", "urgent")
    @classmethod
    def _rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            attribute, equals, pattern = rule.partition("=")
            if not equals or attribute.strip() not in TAGS:
                raise ValueError(f"{rule!r} is no 'Attribute=pattern' with one of {TAGS}")
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{rule!r}: {error}") from error
        return rules
