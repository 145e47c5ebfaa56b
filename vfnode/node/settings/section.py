"""Base of every section of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

#: PS3.5 6.2, AE: 1 to 16 characters, no backslash
AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"


class Section(BaseModel):
    """One table of the file; unknown fields are refused, so that a typo is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
