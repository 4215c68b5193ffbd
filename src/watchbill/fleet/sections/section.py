"""What all sections share, and how they say examples and defaults to the schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

NOT_YET = "; not in force yet"
"""Said of what is checked and kept, but changes nothing on a host. The guide has all of it in one table."""


class Section(BaseModel):
    """What all sections share: no conversion, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def __hash__(self) -> int:
        # With a hash, a section can be the default of many; without one, pydantic gives each a deep copy of its own.
        return id(self)


def example(**keys: Any) -> ConfigDict:
    """Return the configuration of a section whose example has these keys."""
    return ConfigDict(json_schema_extra={"examples": [keys]})


def means(value: str) -> dict[str, Any]:
    """Say in the schema what a missing key means, where the model has to know that it was missing."""
    return {"default": value}
