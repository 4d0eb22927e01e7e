"""What is remembered goes through all tiers on a cluster, of each tenant apart from the others."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
from checkpointing import State, agent, of, sections
from fakes import WordEmbedder
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp
from psycopg.sql import SQL, Identifier
from reviewing import says
from sql_files import TENANT_TABLES
from waiting import until_listening, until_rows, working

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemoryStore
from langgraph_agentmem.storage import search, transfer
from langgraph_agentmem.worker import MemoryWorker

Connection = psycopg.Connection[Any]
TEMPLATE = {"sections": ["facts", "plans"]}


def edits(**sections: str) -> list[dict[str, str]]:
    return [{"section_id": section, "new_content": text} for section, text in sections.items()]


async def remembered(memory: AgentMemory, tenant: str, facts: str = "- Ada knows Bob.") -> int:
    """A memory whose facts are consolidated."""
    made = await memory.acreate_active_memory(tenant, "Notes", TEMPLATE)
    await memory.aupdate_active_memory_sections(tenant, made.id, edits(facts=facts, plans="- Deadline: May 1"))
    report = await memory.aconsolidate(tenant, made.id)
    assert report.status == "applied"
    return made.id


async def test_what_is_written_is_consolidated_promoted_searched_and_retrieved(
    memory: AgentMemory, tenant: str
) -> None:
    id = await remembered(memory, tenant)
    written = await memory.aget_active_memory(tenant, id)
    assert {name: section.content for name, section in written.sections.items()} == {
        "facts": "- Ada knows Bob.", "plans": "- Deadline: May 1",
    }  # fmt: skip
    assert {hit.tier for hit in await memory.asearch(tenant, "who knows Bob?")} == {"shortterm"}

    promoted = await memory.apromote(tenant, id, force=True)

    assert promoted.status == "promoted"
    [first, *_] = await memory.asearch(tenant, "who knows Bob?")
    assert (first.content.strip(), first.tier, first.entities) == ("- Ada knows Bob.", "longterm", ["Ada", "Bob"])
    assert first.arms.vector
    assert await memory.aretrieve_memories(tenant, "who knows Bob?")
    ada = await memory.aget_entity(tenant, "ada")
    assert (ada.name, ada.tier) == ("Ada", "longterm")
    assert [(link.source, link.target) for link in ada.relationships] == [("Ada", "Bob")]


async def test_tenants_on_different_servers_are_apart(memory: AgentMemory, tenants: SimpleNamespace) -> None:
    for who, fact in ((tenants.one, "- Ada knows Bob."), (tenants.other, "- Cy knows Dee.")):
        await remembered(memory, who, fact)

    found = {
        who: {hit.content.strip() for hit in await memory.asearch(who, "who knows whom?")}
        for who in (tenants.one, tenants.other)
    }
    assert found == {
        tenants.one: {"- Ada knows Bob.", "- Deadline: May 1"},
        tenants.other: {"- Cy knows Dee.", "- Deadline: May 1"},
    }


async def test_one_batch_of_a_store_is_for_tenants_on_different_servers(
    memory: AgentMemory, tenants: SimpleNamespace
) -> None:
    store, spaces = AgentMemoryStore(memory), [(tenants.one, "notes"), (tenants.other, "notes")]

    await store.abatch([PutOp(space, "k", {"text": f"A falcon of {space[0]}."}) for space in spaces])
    got = await store.abatch([GetOp(space, "k") for space in spaces])
    searched = await store.abatch([SearchOp((space[0],), query="falcon") for space in spaces])
    listed = await store.abatch([ListNamespacesOp(), *(ListNamespacesOp(max_depth=1) for _ in range(2))])

    assert [item.value["text"] for item in got] == [f"A falcon of {space[0]}." for space in spaces]
    assert [[item.namespace for item in found] for found in searched] == [[space] for space in spaces]
    assert set(spaces) <= set(listed[0])
    assert {(tenants.one,), (tenants.other,)} <= set(listed[1])
    assert set(spaces) <= set(await store.alist_namespaces(prefix=("*", "notes"), suffix=("notes",), limit=10_000))
    assert await store.alist_namespaces(prefix=(tenants.one, "*")) == [spaces[0]]
    await store.adelete(spaces[0], "k")
    assert await store.aget(spaces[0], "k") is None


async def test_of_many_puts_at_once_none_is_lost_and_of_two_conditional_ones_one_wins(
    memory: AgentMemory, tenant: str
) -> None:
    store, space = AgentMemoryStore(memory), (tenant, "counts")
    await asyncio.gather(*(store.aput(space, f"{n % 5}", {"n": n}) for n in range(30)))
    assert {item.key for item in await store.asearch(space, limit=100)} == set("01234")

    item = await store.aget(space, "0")
    assert item is not None
    wins = await asyncio.gather(
        *(store.aput_if(space, "0", {"n": n}, item.revision) for n in range(4)), return_exceptions=True
    )
    assert [type(each).__name__ for each in wins].count("RevisionConflictError") == 3


async def test_a_threads_state_is_in_sections(memory: AgentMemory, tenant: str) -> None:
    saver = AgentMemorySaver(memory, state_schema=State)
    config = of(f"thread of {tenant}", tenant)

    await agent(saver).ainvoke({"say": {"progress": "Begun.", "facts": ["Ada knows Bob."]}}, config)
    await agent(saver).ainvoke({"say": {"progress": "Done."}}, config)

    found = await sections(memory, tenant)
    assert found["progress"][0] == "Done."
    latest = await saver.aget_tuple(config)
    assert latest is not None
    assert latest.checkpoint["channel_values"]["progress"] == "Done."
    await saver.adelete_thread(config["configurable"]["thread_id"])
    assert await saver.aget_tuple(config) is None


async def test_a_worker_hears_what_is_due_and_consolidates_it(
    opened: Callable[..., AgentMemory], tenant: str, rows: Callable[..., list[Any]]
) -> None:
    memory = opened(index=WordEmbedder(), settings={"avg_section_update_count": 0.1, "worker_poll_seconds": 60})
    made = await memory.acreate_active_memory(tenant, "Notes", TEMPLATE)
    async with working(MemoryWorker(memory, external_id=tenant)):
        await until_listening(rows)
        await memory.aupdate_active_memory_sections(tenant, made.id, edits(facts="- A fox.", plans="- An owl."))
        runs = f"SELECT status FROM agentmem.consolidation_run WHERE external_id = '{tenant}'"
        await until_rows(rows, runs, [("applied",)])


async def test_what_a_person_decides_holds_and_is_undone(opened: Callable[..., AgentMemory], tenant: str) -> None:
    memory = opened(index=WordEmbedder(), review="always")
    id = await remembered(memory, tenant)
    await memory.aupdate_active_memory_section(tenant, id, "plans", "- Deadline: June 1")
    report = await memory.aconsolidate(tenant, id)
    [dispute] = report.parked
    waiting = {run.run_id for run in await memory.reviews.apending(tenant)}
    assert waiting == {report.run_id}

    decided = await memory.reviews.adecide(tenant, report.run_id, says(dispute, "accept"))

    async def deadlines() -> set[str]:
        return {hit.content.strip() for hit in await memory.asearch(tenant, "deadline")} - {"- Ada knows Bob."}

    assert await deadlines() == {"- Deadline: June 1"}
    await memory.runs.aundo(tenant, str(decided.report and decided.report.run_id))
    assert await deadlines() == {"- Deadline: May 1", "- Deadline: June 1"}


async def test_settings_for_a_search_reach_the_server_that_has_the_rows(memory: AgentMemory, tenant: str) -> None:
    await remembered(memory, tenant)
    asked = b"SELECT current_setting('hnsw.iterative_scan', true) AS scan, current_setting('enable_sort') AS sort FROM agentmem.section WHERE external_id = %s LIMIT 1"

    async with memory.resources.database.transaction(tenant) as connection:
        before = await (await connection.execute(asked, [tenant])).fetchone()
        await search.set_up(connection, [tenant])
        meanwhile = await (await connection.execute(asked, [tenant])).fetchone()
    async with memory.resources.database.connection(tenant) as connection:
        afterwards = await (await connection.execute(asked, [tenant])).fetchone()

    assert meanwhile == {"scan": "strict_order", "sort": "off"}
    assert before != meanwhile
    assert afterwards is not None
    assert afterwards["sort"] == "on"


async def test_what_is_forgotten_is_gone_from_every_server_with_a_receipt(
    memory: AgentMemory, tenants: SimpleNamespace, connection: Connection
) -> None:
    for who in (tenants.one, tenants.other):
        await memory.apromote(who, await remembered(memory, who), force=True)

    receipt = await memory.aforget_tenant(tenants.one)

    assert receipt.removed["memory_chunk"] > 0
    assert (await memory.averify_receipt(receipt)).gone
    left = {who: rows_of(connection, who) for who in (tenants.one, tenants.other)}
    assert left[tenants.one] == {}
    assert left[tenants.other]["memory_chunk"] > 0


def rows_of(connection: Connection, tenant: str) -> dict[str, int]:
    counted = {}
    for table in sorted(TENANT_TABLES):
        count = SQL("SELECT count(*) FROM {} WHERE external_id = {}").format(Identifier("agentmem", table), tenant)
        [counted[table]] = connection.execute(count).fetchone() or [0]
    return {table: count for table, count in counted.items() if count}


async def test_ids_that_come_from_elsewhere_are_not_given_again(
    memory: AgentMemory, tenant: str, connection: Connection
) -> None:
    id = (await memory.acreate_active_memory(tenant, "Notes", TEMPLATE, {"facts": "- A fox."})).id
    [last] = connection.execute("SELECT max(id) FROM agentmem.memory_chunk").fetchone() or [0]
    connection.execute(
        "INSERT INTO agentmem.memory_chunk (external_id, id, memory_id, section_id, section_revision, chunk_order, content, content_hash, words, own_words) "
        "VALUES (%s, %s, %s, 'facts', 1, 0, '', '', '{}/1', '{}')",
        [tenant, last + 50, id],
    )

    async with memory.resources.database.transaction(tenant) as transaction:
        await transfer.finish(transaction, tenant)

    [following] = connection.execute("SELECT nextval('agentmem.memory_chunk_id_seq')").fetchone() or [0]
    assert following > last + 50


async def test_langchains_vector_store_reads_a_tenants_vectors(memory: AgentMemory, tenants: SimpleNamespace) -> None:
    await remembered(memory, tenants.one)
    await remembered(memory, tenants.other, "- Cy knows Bob.")

    vectors = await memory.aas_vectorstore(tenants.one)
    found = await vectors.asimilarity_search("who knows Bob?")

    assert [document.page_content.strip() for document in found] == ["- Ada knows Bob.", "- Deadline: May 1"]
