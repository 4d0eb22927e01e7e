"""Each public operation, on a cluster as on one server."""

from collections.abc import Callable, Iterator
from inspect import getmembers, iscoroutinefunction
from typing import Any

import psycopg
import pytest
from fakes import ScriptedModel, WordEmbedder
from operations import Operations
from psycopg.sql import SQL, Identifier
from store_and_memory import names

from langgraph_agentmem import AgentMemory

IN_ORDER = [name for name in vars(Operations) if not name.startswith("_")]
PREPARE = {"made", "written", "consolidated", "disputed", "thread"}


@pytest.fixture
def sources(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Takes away the tables of others that operations import from."""
    listed = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    before = set(connection.execute(listed))
    yield
    for (name,) in set(connection.execute(listed)) - before:
        connection.execute(SQL("DROP TABLE IF EXISTS {} CASCADE").format(Identifier("public", name)))


@pytest.mark.slow
async def test_each_operation_is_done_twice(opened: Callable[..., AgentMemory], sources: None) -> None:
    memory = opened(model=ScriptedModel(answer=names), review="always", index=WordEmbedder())
    await memory.asetup()
    on, refused = Operations(memory), dict[str, str]()
    operations = [name for name, _ in getmembers(Operations, iscoroutinefunction) if name not in PREPARE]
    assert len(operations) > 50

    for name in sorted(operations, key=IN_ORDER.index):
        for n in (0, 1):
            try:
                await (await getattr(on, name)(n))()
            except Exception as error:
                refused[name] = repr(error)

    assert refused == {}
