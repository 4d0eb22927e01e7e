"""Many callers at once, before anything is set up, on one loop and on many."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import WordEmbedder
from triggers import setups_counted, setups_refused
from waiting import until_alone

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.store import AgentMemoryStore


class CountingEmbedder(WordEmbedder):
    """Counts how often it is asked for documents."""

    asked = 0

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += 1
        return await super().aembed_documents(texts)


@pytest.fixture
def often_switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


async def test_first_callers_set_up_once(empty_dsn: str) -> None:
    setups = setups_counted(empty_dsn)
    embedder = CountingEmbedder()
    memory = AgentMemory.open(empty_dsn, index={"embed": embedder})
    store = AgentMemoryStore(memory)
    found = await asyncio.gather(*(store.asearch(("alice",), query="a fox") for _ in range(150)))

    assert found == [[]] * 150
    assert (setups(), embedder.asked) == (1, 2), "its dimension is asked for, and its floor is measured"
    await memory.aclose()


async def test_a_set_up_that_failed_is_tried_again(empty_dsn: str) -> None:
    memory = AgentMemory.open(empty_dsn)
    with setups_refused(empty_dsn):
        errors = await asyncio.gather(*(memory.asetup() for _ in range(3)), return_exceptions=True)
        assert [type(error).__name__ for error in errors] == ["OutageError"] * 3
    await memory.asetup()
    await memory.aclose()


def test_threads_with_loops_of_their_own_share_one_memory(dsn: str, often_switching: None) -> None:
    memory, errors = AgentMemory.open(dsn), []

    async def use() -> None:
        await memory.aget_active_memories("alice")

    def work() -> None:
        try:
            for _ in range(8):
                asyncio.run(use())  # leaves its pool behind, as scripts do
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory.close()

    assert errors == []


@pytest.mark.parametrize("kind", [lambda memory: memory, AgentMemoryStore, AgentMemorySaver])
async def test_what_nobody_holds_any_more_goes_with_its_connections(
    dsn: str, rows: Callable[..., Any], kind: Callable[[AgentMemory], Any]
) -> None:
    def asked_in_a_thread() -> Callable[[], object]:
        memory = AgentMemory.open(dsn)
        kind(memory).setup()
        memory.search("alice", "a fox")
        return weakref.ref(memory.resources.database)

    async def asked_here() -> Callable[[], object]:
        memory = AgentMemory.open(dsn)
        await kind(memory).asetup()
        await memory.asearch("alice", "a fox")
        return weakref.ref(memory.resources.database)

    held = [await asyncio.to_thread(asked_in_a_thread), await asked_here()]
    gc.collect()
    assert [each() for each in held] == [None, None]
    await until_alone(rows)
