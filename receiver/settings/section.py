"""What all sections of the settings share."""

from __future__ import annotations

from pydantic import (
    BaseModel,
    ConfigDict,
)


class Section(BaseModel):
    """A frozen section that knows its own keys alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
