"""What all values have in common."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]
"""A JSON object."""

Tier = Literal["active", "shortterm", "longterm"]
"""Where a chunk stands: in a working memory, consolidated, or promoted."""


class Value(BaseModel):
    """A frozen value without a handle to anything; `model_dump` gives all of it, `repr` may say only what matters."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")

    def _told(self) -> str:
        """What `repr` says of it in one line; all its fields where this is empty."""
        return ""

    def __repr__(self) -> str:
        told = self._told()
        return f"<{type(self).__name__} {told}>" if told else super().__repr__()

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str | None:
        """What a notebook shows; None for kinds of values that are not drawn, which it shows by `repr`."""
        from langgraph_agentmem.views import pages  # noqa: PLC0415 - few programs draw

        return pages.page(self)


def cut(text: str, most: int = 60) -> str:
    """A text in quotation marks, on one line, with an ellipsis where it was longer."""
    return repr(text if len(text) <= most else f"{text[: most - 1]}…")


def counted(count: int, one: str, many: str = "") -> str:
    """A number of things, in words: `1 update`, `2 updates`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 5) -> str:
    """The first names of a list, and how many there are besides."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(cut(name, 30) for name in names[:most]) + more
