"""The section of the settings about which series is analysed, and which one first."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from vfnode.dicom.reading.series_facts import TAGS
from vfnode.node.settings.section import Section


class ChoiceSection(Section):
    """Which series of a study is analysed. Rules are 'Attribute=regular expression'."""

    series: Literal["best", "all"] = Field(
        default="best",
        description="'best': one result set a study, from the series that ranks highest by "
        "orientation, slices, coverage, kernel and contrast; the reason is stored. 'all': each.",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Only series that fit one of these, as 'BodyPartExamined=CHEST|THORAX'; "
        f"empty takes all. Attributes: {', '.join(TAGS)}.",
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Never these, as 'SeriesDescription=phantom|test'."
    )
    urgent: tuple[str, ...] = Field(
        default=(),
        description="These before all others, as 'StationName=^ER_CT'.",
    )
    order: Literal["oldest", "newest"] = Field(
        default="oldest",
        description="Which of the waiting series is analysed first. 'newest' where a backlog "
        "must not hold up the patient who is still here; nothing is ever left out.",
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
