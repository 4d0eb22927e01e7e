"""Who may see what: the tenant, and whether anything may be changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory

READ_ONLY: Final = "The inspector was started without --write."


@dataclass(frozen=True)
class Access:
    """What an inspector shows, whoever looks.

    Attributes:
        tenant: The only tenant that is shown; None lets whoever looks choose one.
        write: Whether whoever looks may change memory.
    """

    memory: AgentMemory
    tenant: str | None = None
    write: bool = False

    def visit(self, query: Mapping[str, str]) -> "Visit":
        """What one page shows, by its address.

        Raises:
            InvalidInputError: It asks for another tenant than the inspector's.
        """
        asked = query.get("tenant") or None
        if self.tenant is not None and asked not in {None, self.tenant}:
            raise InvalidInputError(f"this inspector shows the memory of {self.tenant!r} only, not of {asked!r}")
        return Visit(self, asked if self.tenant is None else self.tenant, query)


@dataclass(frozen=True)
class Visit:
    """A page as it was asked for; `tenant` is None where none was chosen yet."""

    access: Access
    chosen: str | None
    query: Mapping[str, str]

    @property
    def memory(self) -> AgentMemory:
        """The memory that is inspected."""
        return self.access.memory

    @property
    def write(self) -> bool:
        """Whether the page may change memory."""
        return self.access.write

    @property
    def tenant(self) -> str:
        """The tenant whose memory is shown.

        Raises:
            InvalidInputError: None was chosen.
        """
        if self.chosen is None:
            raise InvalidInputError("choose a tenant first")
        return self.chosen

    def link(self, path: str, *, tenant: str | None = None, **query: object) -> str:
        """The address of another page, of the same tenant unless another one is named."""
        named = None if self.access.tenant is not None else tenant or self.chosen
        given = {"tenant": named, **query}
        text = urlencode({key: str(value) for key, value in given.items() if value not in (None, "")}, quote_via=quote)
        return f"{path}?{text}" if text else path

    def number(self, name: str) -> int | None:
        """A number of the page's address.

        Raises:
            InvalidInputError: It is none.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            raise InvalidInputError(f"{name} is a number, not {text!r}")
        return int(text)

    def check_write(self) -> None:
        """Refuse a change where the inspector only shows.

        Raises:
            InvalidInputError: It was started without `--write`.
        """
        if not self.write:
            raise InvalidInputError(READ_ONLY)
