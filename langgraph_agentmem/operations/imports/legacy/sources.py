"""The tables of an older three-tier system, as they are found."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from psycopg.rows import DictRow

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.legacy import LegacyRow
from langgraph_agentmem.operations.imports.running import Tally, found
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.imports import Table

T = TypeVar("T")
_COLUMNS = {
    "active_memory": ("id", "external_id", "title", "sections"),
    "shortterm_memory": ("id", "external_id", "title"),
    "shortterm_memory_chunk": ("id", "external_id", "shortterm_memory_id", "content"),
    "longterm_memory_chunk": ("id", "external_id", "shortterm_memory_id", "content"),
}
_ADVICE = "it is looked for where the older system keeps its tables; name their schema with schema="


async def table(connection: Connection, name: str, schema: str | None) -> Table:
    """A table of the older system.

    Raises:
        ConfigurationError: There is none, or it lacks a column.
    """
    return await found(connection, name, schema, _COLUMNS[name], _ADVICE)


def read(
    rows: Sequence[DictRow], tally: Tally, what: str, reading: Callable[[LegacyRow], tuple[str, T] | None]
) -> dict[str, list[T]]:
    """Rows by tenant, as they are to stand here; those that cannot are refused.

    Args:
        rows: The source's.
        tally: Counts them.
        what: They are, for people.
        reading: A row's tenant and what it is here; None where it holds nothing to bring along.
    """
    found: dict[str, list[T]] = {}
    for row in rows:
        tally.read += 1
        try:
            ready = reading(row)
        except InvalidInputError as error:
            tally.refuse(f"{what} {row['id']}", error)
            continue
        if ready is None:
            tally.skipped += 1
        else:
            found.setdefault(ready[0], []).append(ready[1])
    return found
