"""Searches go on by the old embedder until the new one's vectors are complete, however often who computes them dies."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import forking
import psycopg
import pytest
from consistency import assert_consistent
from synonyms import SynonymEmbedder
from waiting import until

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import EmbeddingMismatchError

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
PROCESS = Path(__file__).with_name("reembedding_process.py")
IN_USE = "SELECT name FROM agentmem.embedding_model ORDER BY used_since DESC, id DESC LIMIT 1"
VECTORS = """SELECT m.name, count(*), count(embedding) FROM agentmem.memory_chunk c
JOIN agentmem.embedding_model m ON m.id = c.embedding_model GROUP BY m.name"""
WAITING = "SELECT count(*) FROM agentmem.coming_vector"
CHUNKS = 600


def old() -> SynonymEmbedder:
    return SynonymEmbedder("old one", 64)


def new() -> SynonymEmbedder:
    return SynonymEmbedder("new", 48)


def reembed(dsn: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"AGENTMEM_DSN": dsn} | {name: str(value) for name, value in variables.items()}
    done = forking.run(PROCESS, env=env)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done


async def written(memory: AgentMemory) -> None:
    for tenant, animal in (("alice", "fox"), ("bob", "hen")):
        lines = [f"- Stone number {i} of {tenant} is grey." for i in range(CHUNKS // 2 - 1)]
        notes = "\n".join([*lines, f"- A {animal} stands there."])
        await memory.acreate_active_memory(tenant, "Notes", {"sections": ["notes"]}, {"notes": notes})


async def found_by_meaning(memory: AgentMemory) -> bool:
    """Whether both tenants' questions, of which no word is in a text, find what they ask for."""
    for tenant, question, animal in (("alice", "canine", "fox"), ("bob", "poultry", "hen")):
        best = (await memory.asearch(tenant, question, limit=1))[0]
        if animal not in best.content or not best.arms.vector or best.arms.lexical:
            return False
    return True


@asynccontextmanager
async def searching(memory: AgentMemory, dsn: str) -> AsyncIterator[list[tuple[str, bool]]]:
    """Search again and again; the model that was in use before and after each search, and whether it found all."""
    searches: list[tuple[str, bool]] = []

    async def search() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:

            async def in_use() -> str:
                [name] = await (await connection.execute(IN_USE)).fetchone() or [""]
                return name

            while True:
                before, found = await in_use(), await found_by_meaning(memory)
                if await in_use() == before:  # else the change came in the middle of it
                    searches.append((before, found))

    task = asyncio.create_task(search())
    try:
        yield searches
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task.exception()


async def test_killed_in_the_middle_and_begun_again_while_searches_go_on(opened: Open, dsn: str, rows: Rows) -> None:
    memory = opened(index=old())
    await written(memory)
    async with searching(memory, dsn) as searches:
        for waiting in (128, 384):
            killed = await asyncio.to_thread(reembed, dsn, KILL_IN_CALL=2 if waiting == 128 else 3)
            assert killed.returncode == -signal.SIGKILL
            assert rows(WAITING) == [(waiting,)]
            assert rows(VECTORS) == [("old one", CHUNKS, CHUNKS)]
        begun = len(searches)
        done = await asyncio.to_thread(reembed, dsn)
        assert done.stdout == f"{CHUNKS - 384} {CHUNKS - 384}\n", "what was computed before is not computed again"
        assert len(searches) > begun
    assert len([found for name, found in searches if name == "old one"]) > 20
    assert [name for name, found in searches if name == "old one" and not found] == []

    assert rows(VECTORS) == [("new", CHUNKS, CHUNKS)]
    assert rows(WAITING) == [(0,)]
    assert await found_by_meaning(opened(index=new()))
    with pytest.raises(EmbeddingMismatchError, match="'new' with 48 dimensions"):
        await opened(index=old()).asetup()
    assert_consistent(dsn)


async def test_a_memory_with_both_embedders_goes_over_from_one_to_the_other(opened: Open, dsn: str, rows: Rows) -> None:
    await written(opened(index=old()))
    memory = opened(index=new(), reembed=old())
    async with searching(memory, dsn) as searches:
        await memory.aupdate_active_memory_section("alice", 1, "notes", "- Added meanwhile.", action="insert")
        assert await asyncio.to_thread(reembed, dsn)
        await until(lambda: ("new", True) in searches)
    assert {found for _, found in searches} == {True}
    assert [name for name, _ in searches] == sorted([name for name, _ in searches], reverse=True)
    assert rows(VECTORS) == [("new", CHUNKS + 1, CHUNKS + 1)]
    await memory.aupdate_active_memory_section("bob", 2, "notes", "- A canine comes along.", action="insert")
    assert rows(VECTORS) == [("new", CHUNKS + 2, CHUNKS + 2)]


@pytest.mark.parametrize(("when", "used"), [("before", "old one"), ("after", "new")])
async def test_killed_as_it_takes_over_it_is_the_old_one_or_the_new_one_altogether(
    opened: Open, dsn: str, rows: Rows, when: str, used: str
) -> None:
    await written(opened(index=old()))
    assert (await asyncio.to_thread(reembed, dsn, KILL_AT_TAKING_OVER=when)).returncode == -signal.SIGKILL

    assert (rows(VECTORS), rows(IN_USE)) == ([(used, CHUNKS, CHUNKS)], [(used,)])
    assert await found_by_meaning(opened(index=old() if used == "old one" else new()))
    assert rows(WAITING) == [(CHUNKS if used == "old one" else 0,)]
    assert (await asyncio.to_thread(reembed, dsn)).stdout == "0 0\n", "no vector is computed again"
    assert (rows(VECTORS), rows(WAITING)) == ([("new", CHUNKS, CHUNKS)], [(0,)])


async def test_one_tenants_vectors_may_be_computed_first(opened: Open, rows: Rows) -> None:
    await written(opened(index=old()))
    memory = opened(index=new(), reembed=old())

    assert await memory.queue.aembed_pending("bob") == CHUNKS // 2
    assert (rows(WAITING), rows(IN_USE)) == ([(CHUNKS // 2,)], [("old one",)])
    assert await memory.queue.aembed_pending() == CHUNKS // 2
    assert (rows(WAITING), rows(IN_USE)) == ([(0,)], [("new",)])
    assert await found_by_meaning(memory)


async def test_what_is_deleted_meanwhile_leaves_no_vector(opened: Open, rows: Rows) -> None:
    memory = opened(index=old())
    await written(memory)
    coming = opened(index=new(), reembed=True)
    await coming.queue.aembed_pending("alice")
    await memory.aupdate_active_memory_section("alice", 1, "notes", "- Only this is left.")

    assert rows(WAITING) == [(0,)]
    assert await coming.queue.aembed_pending() == CHUNKS // 2 + 1
    assert rows(VECTORS) == [("new", CHUNKS // 2 + 1, CHUNKS // 2 + 1)]
