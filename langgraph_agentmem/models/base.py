"""What all values have in common."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]
"""A JSON object."""

Tier = Literal["active", "shortterm", "longterm"]
"""Where a chunk stands: in a working memory, consolidated, or promoted."""


class Value(BaseModel):
    """A frozen value without a handle to anything."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")
