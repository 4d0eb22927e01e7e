"""What is exported comes back as it was, in another database; and no file that is not whole is taken."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from fakes import ScriptedModel, WordEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import answer, consolidate, start
from sql_files import TENANT_TABLES

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.errors import ConflictError, InvalidInputError, NotFoundError
from langgraph_agentmem.operations.transfer import exporting, importing
from langgraph_agentmem.policies import transfer
from langgraph_agentmem.policies.transfer import Transferred
from langgraph_agentmem.store import AgentMemoryStore

Open = Callable[..., AgentMemory]
NewDatabase = Callable[..., str]


async def exported(memory: AgentMemory, tenant: str | None = None, **options: Any) -> list[bytes]:
    lines: list[bytes] = []
    await exporting.export(memory.resources, tenant, lines.append, **options)
    return lines


async def imported(memory: AgentMemory, lines: list[bytes]) -> Transferred:
    return await importing.load(memory.resources, lambda: lines)


def body(lines: list[bytes]) -> list[bytes]:
    """What is between the header, which has its time, and the end; rows of a table come in any order."""
    return sorted(line for line in lines[1:-1])


async def lived(memory: AgentMemory, tenant: str) -> None:
    """A memory with something in each table: chunks that have ended, entities, a promotion, a dispute, a transcript."""
    id = await start(memory, tenant)
    for text in ("Ada/person knows Bob/person", "Ada/person knows Cy/person", "Ada/person leads Apollo/project"):
        await consolidate(memory, tenant, id, text)
    await memory.apromote(tenant, id, force=True)
    await memory.aadd(tenant, [{"role": "user", "content": "I live in Oslo.", "id": "m1"}], infer=False)
    gone = await memory.acreate_active_memory(tenant, "Gone", {"sections": ["a"]}, {"a": "It is over."})
    await memory.adelete_active_memory(tenant, gone.id)
    await AgentMemoryStore(memory).aput((tenant, "things"), "one", {"text": "a thing", "n": 12345678901234567890})


@pytest.fixture
async def other(new_database: NewDatabase, template: str) -> Any:
    """Opens memories on a second database."""
    dsn, memories = new_database(template), list[AgentMemory]()

    def make(**arguments: Any) -> AgentMemory:
        memories.append(AgentMemory.open(dsn, settings=AgentMemorySettings(), **arguments))
        return memories[-1]

    yield make
    for memory in memories:
        await memory.aclose()


def test_every_table_with_a_tenant_is_exported_or_is_left_out_on_purpose() -> None:
    assert {*transfer.TABLES, *transfer.NOT_EXPORTED} == TENANT_TABLES


@pytest.mark.parametrize("vectors", [True, False])
async def test_all_that_is_remembered_comes_back_and_goes_on(opened: Open, other: Open, vectors: bool) -> None:
    memory = opened(model=ScriptedModel(answer=answer), review="always", index=WordEmbedder())
    for tenant in ("alice", "bob"):
        await lived(memory, tenant)
    lines = await exported(memory, vectors=vectors)
    index = WordEmbedder() if vectors else None
    there = other(model=ScriptedModel(answer=answer), index=index)
    done = await imported(there, lines)

    assert done.tenants == 2
    assert done.vectors is vectors
    assert {name for name, count in done.rows.items() if count} == {*transfer.TABLES} - {"thread_section", "tombstone"}
    assert body(await exported(there, vectors=vectors)) == body(lines)
    hits = [hit.content.strip() for hit in await there.asearch("alice", "Who leads Apollo?")]
    assert hits[0] == "Ada/person leads Apollo/project"
    assert (await AgentMemoryStore(there).aget(("alice", "things"), "one")).value["n"] == 12345678901234567890
    # ids that are drawn from now on meet none that came
    [first, *_] = await there.aget_active_memories("alice")
    await consolidate(there, "alice", first.id, "Ada/person knows Eve/person")
    assert (await there.aget_entity("alice", "Eve")).name == "Eve"
    with pytest.raises(ConflictError, match="2 of the 2 tenants in the file have memories here already"):
        await imported(there, lines)


async def test_the_projection_hears_of_what_came(opened: Open, other: Open, dsn: str) -> None:
    memory = opened(model=ScriptedModel(answer=answer))
    await lived(memory, "alice")
    there = other()
    await imported(there, await exported(memory, "alice"))

    def waiting(dsn: str) -> set[Any]:
        with psycopg.connect(dsn) as connection:
            return set(connection.execute("SELECT kind, target_id, operation FROM agentmem.graph_outbox").fetchall())

    upserts = {row for row in waiting(dsn) if row[2] == "upsert"}
    assert waiting(there.dsn or "") == upserts


@pytest.mark.parametrize(
    ("embedder", "kept"),
    [pytest.param(None, False, id="without an embedder"), pytest.param(WordEmbedder(), True, id="with the same one")],
)
async def test_vectors_are_taken_over_where_their_model_is_the_one_here(
    opened: Open, other: Open, embedder: Any, kept: bool
) -> None:
    memory = opened(index=WordEmbedder())
    await lived(memory, "alice")
    there = other(index=embedder)

    assert (await imported(there, await exported(memory, vectors=True))).vectors is kept
    with psycopg.connect(there.dsn or "") as connection:
        sql = "SELECT count(*), count(embedding), count(embedding_model) FROM agentmem.memory_chunk"
        [(chunks, vectors, models)] = connection.execute(sql).fetchall()
    assert (vectors, models) == ((chunks, chunks) if kept else (0, 0))


async def test_a_run_that_was_under_way_holds_nothing_there(opened: Open, other: Open, rows: Any) -> None:
    memory = opened()
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada is here.")
    rows(
        "UPDATE agentmem.active_memory SET lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 day'"
    )
    rows("UPDATE agentmem.consolidation_run SET status = 'running', finished_at = NULL")
    there = other()
    await imported(there, await exported(memory))

    assert [run.status for run in await there.runs.alist("alice")] == ["abandoned"]
    await consolidate(there, "alice", id, "Ada is gone.")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


async def test_any_value_comes_back_as_it_was(opened: Open, other: Open) -> None:
    memory, there = opened(), other()
    store, theirs = AgentMemoryStore(memory), AgentMemoryStore(there)
    loop, number = asyncio.get_running_loop(), iter(range(1_000))

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(texts, values, max_size=4))
    def comes_back(value: dict[str, Any]) -> None:
        async def there_and_back() -> None:
            tenant = f"tenant {next(number)}"
            await store.aput((tenant, "x"), "key", value)
            lines = await exported(memory, tenant)
            await imported(there, lines)
            assert body(await exported(there, tenant)) == body(lines)
            ours, came = await store.aget((tenant, "x"), "key"), await theirs.aget((tenant, "x"), "key")
            assert came == ours

        asyncio.run_coroutine_threadsafe(there_and_back(), loop).result()

    await asyncio.to_thread(comes_back)


async def test_no_file_is_taken_that_is_not_as_it_was_written(opened: Open, other: Open) -> None:
    memory = opened()
    await lived(memory, "alice")
    lines, there = await exported(memory), other()
    header = json.loads(lines[0])
    damaged = {
        "was cut off": lines[:-1],
        "is no file that": lines[1:],
        "is not as it was written": [*lines[:-3], *lines[-2:]],
        "is not as it was": [line.replace(b"Oslo", b"Rome") for line in lines],
        "is no JSON": [*lines[:3], lines[3][:-20] + b"\n", *lines[4:]],
        "behind the end": [*lines, lines[2]],
        "newer": [json.dumps(header | {"format": 2}).encode() + b"\n", *lines[1:]],
        "another version": [json.dumps(header | {"schema_hashes": ["x"]}).encode() + b"\n", *lines[1:]],
        "no table": [*lines[:2], b'{"table": "schema_migration", "row": {}}\n', *lines[2:]],
        "neither a tenant": [*lines[:2], b"[]\n", *lines[2:]],
        "ends before": [],
    }
    for said, given_lines in damaged.items():
        with pytest.raises(InvalidInputError, match=said):
            await imported(there, given_lines)
    with pytest.raises(NotFoundError, match="tenant 'nobody' has no memories"):
        await exported(memory, "nobody")

    assert body(await exported(there)) == []
    assert (await imported(there, await exported(other()))).tenants == 0


async def test_two_imports_at_once_are_one(opened: Open, other: Open) -> None:
    memory = opened()
    await lived(memory, "alice")
    lines = await exported(memory)
    done = await asyncio.gather(*(imported(other(), lines) for _ in range(3)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in done) == ["ConflictError", "ConflictError", "Transferred"]
    assert body(await exported(other())) == body(lines)


async def test_what_is_written_meanwhile_is_not_in_it(opened: Open, dsn: str) -> None:
    memory = opened()
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada is here.")
    before, lines = await exported(memory), list[bytes]()

    def slowly(line: bytes) -> None:
        if b'"tenant"' in line:  # the snapshot stands
            future = asyncio.run_coroutine_threadsafe(consolidate(opened(), "alice", id, "Bo is here."), loop)
            future.result()
        lines.append(line)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(lambda: asyncio.run(_export_in_its_own_loop(dsn, slowly)))
    assert body(lines) == body(before)


async def _export_in_its_own_loop(dsn: str, write: Callable[[bytes], None]) -> None:
    async with AgentMemory.open(dsn) as memory:
        await exporting.export(memory.resources, None, write)
