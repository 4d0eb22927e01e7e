"""What is redacted is nowhere: in no table, queue, log, trace, prompt or vector, and not in Neo4j."""

import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from checkpointing import of
from fakes import ScriptedModel, TurnsModel, WordEmbedder, calls
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.store.base import PutOp
from projecting import run
from reviewing import says
from texts import State, agent

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware, AgentMemorySaver, create_claude_memory_tool
from langgraph_agentmem.errors import EmbeddingError, RedactionError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase
from langgraph_agentmem.store import AgentMemoryStore

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
TEXT = f"The deploy token of Zanzibar is {SECRET}."
OLD, NEW = f"Deadline: May 1 {SECRET}", f"Deadline: June 1 {SECRET}"


def spilling(name: str, data: dict[str, Any]) -> Any:
    """A model that writes the secret wherever it may write something."""
    if name == "Extraction":
        ids = [chunk["id"] for chunk in data["chunks"]]
        entities = [
            {"name": who, "types": ["place", SECRET], "description": f"{who}: {SECRET}", "chunk_ids": ids}
            for who in ("Zanzibar", f"Vault {SECRET}")
        ]
        link = {"source": "Zanzibar", "target": f"Vault {SECRET}", "types": ["has"], "description": SECRET}
        return {"entities": entities, "relationships": [{**link, "chunk_ids": ids}]}
    if name == "ConsolidationPlan":
        decide = [
            {"chunk_id": r["chunk_id"], "action": "supersede", "replaced_by": r["replaced_by"], "reason": SECRET}
            for section in data["sections"]
            for r in section["replacements"]
        ]
        return {
            "sections": [{"section_id": s["section_id"], "decisions": decide, "merged": []} for s in data["sections"]]
        }
    return {"facts": [{"section_id": "facts", "fact": f"Their token is {SECRET}.", "messages": [1]}]}


class Watched(ScriptedModel):
    """A model that fails when it is told to, and quotes the secret then."""

    down: bool = False

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        if self.down:
            raise RuntimeError(f"incorrect API key provided: {SECRET}")
        return super()._generate(*args, **kwargs)


async def story(memory: AgentMemory, tenant: str, model: Watched) -> None:
    """Everything that brings texts in, or makes some."""
    template = {
        "name": TEXT,
        "sections": [{"id": "notes", "title": TEXT, "description": TEXT, "content": TEXT}, "plan"],
    }
    notes = await memory.acreate_active_memory(tenant, "Notes", template, {"plan": OLD}, {"made": {SECRET: [TEXT]}})
    await memory.aupdate_active_memory_section(tenant, notes.id, "plan", f"{OLD} ", source=SECRET)
    await memory.aconsolidate(tenant, notes.id)
    edits = [
        {"section_id": "plan", "new_content": NEW, "old_content": OLD},
        {"section_id": "notes", "new_content": f"More of {SECRET}.", "action": "insert"},
    ]
    await memory.aupdate_active_memory_sections(tenant, notes.id, edits, source=f"who has {SECRET}")
    report = await memory.aconsolidate(tenant, notes.id)
    decisions = [says(id, "override", text=f"Kept: {SECRET}", reason=TEXT)[0] for id in report.parked]
    assert decisions
    await memory.reviews.adecide(tenant, str(report.run_id), decisions, reviewer=f"Eve {SECRET}")

    store = AgentMemoryStore(memory)
    await store.aput((tenant, "items"), "1", {"text": TEXT, SECRET: {"deep": [TEXT]}, "n": 1})
    await store.abatch(
        [PutOp((tenant, "items"), "2", {"text": TEXT}), PutOp((tenant, "items"), "3", {"t": TEXT}, False)]
    )
    await store.aput_if((tenant, "items"), "4", {"text": TEXT}, 0)

    saver = AgentMemorySaver(memory, state_schema=State)
    for text in (TEXT, f"Again: {TEXT}", f"And again: {TEXT}"):
        await agent(saver).ainvoke({"say": {"progress": text}}, of("thread", tenant))
    other = AgentMemorySaver(memory, state_schema=State, on_conflict=lambda c: f"{c.mine} and {c.theirs} {SECRET}")
    await agent(other).ainvoke({"say": {"progress": f"Other: {TEXT}"}}, of("other", tenant))

    said = [{"role": "user", "content": f"{TEXT}\nAnd\nmore.", "name": SECRET}, {"role": "assistant", "content": TEXT}]
    await memory.aadd(tenant, said, source=SECRET)
    tools = calls(
        ("create_memory", {"title": "Trip", "sections": [{"id": "route", "description": TEXT, "content": TEXT}]}),
        ("memory", {"command": "create", "path": "/memories/route.md", "file_text": TEXT}),
    )
    turns = TurnsModel(turns=[tools, AIMessage(f"I have noted: {TEXT}")])
    middleware = AgentMemoryMiddleware(memory, remember_turns=True)
    chatbot = create_agent(turns, [create_claude_memory_tool(memory)], middleware=[middleware])
    await chatbot.ainvoke({"messages": [("user", TEXT)]}, {"configurable": {"user_id": tenant}})

    await memory.queue.aflush(tenant)
    await memory.apromote(tenant, notes.id, force=True)

    model.down = True
    await memory.aupdate_active_memory_section(tenant, notes.id, "notes", f"Then {TEXT}")
    failed = await memory.aconsolidate(tenant, notes.id)
    assert failed.failures
    await memory.aadd(tenant, [*said, {"role": "user", "content": TEXT}])
    model.down = False
    await memory.queue.aembed_pending(tenant)


def tables_with_the_secret(rows: Rows, *schemas: str) -> dict[str, int]:
    """How many rows hold the secret, as text in whichever column, by table."""
    named = rows(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_type = 'BASE TABLE' AND table_schema = ANY (%s) ORDER BY 1",
        list(schemas),
    )
    counts = {
        str(table): int(str(rows(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", f"%{SECRET}%")[0][0]))
        for (table,) in named
    }
    assert len(counts) > 10 or "public" in schemas
    return {table.removeprefix("agentmem."): count for table, count in counts.items() if count}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


async def told(opened: Open, tenant: str, redact: Any, **more: Any) -> tuple[AgentMemory, Watched, WordEmbedder]:
    model, embedder = Watched(answer=spilling), WordEmbedder()
    settings = {"model_attempts": 1, "shortterm_update_threshold": 1}
    memory = opened(model=model, index=embedder, review="always", redact=redact, settings=settings, **more)
    await story(memory, tenant, model)
    return memory, model, embedder


async def test_without_redaction_the_secret_is_in_all_these_tables(opened: Open, rows: Rows) -> None:
    await told(opened, "alice", None)
    assert set(tables_with_the_secret(rows, "agentmem")) >= {
        "active_memory", "section", "memory_chunk", "entity", "relationship", "consolidation_run", "dispute",
    }  # fmt: skip


async def test_with_redaction_it_is_in_no_table_log_prompt_or_vector(
    opened: Open, rows: Rows, logged: pytest.LogCaptureFixture, otel: SimpleNamespace
) -> None:
    memory, model, embedder = await told(opened, "alice", "secrets")

    assert tables_with_the_secret(rows, "agentmem") == {}
    assert SECRET not in logged.text
    spans = [span.to_json() for span in otel.spans.get_finished_spans()]
    assert len(spans) > 10
    assert [span for span in spans if SECRET in span] == []
    counted = otel.reader.get_metrics_data().to_json()
    assert SECRET not in counted
    assert set(re.findall(r'"agentmem.door": "(\w+)"', counted)) >= {
        "section", "memory", "item", "checkpoint", "message", "review", "model", "error",
    }  # fmt: skip
    assert [prompt for prompt in model.prompts if SECRET in str(prompt)] == []
    assert len(model.prompts) > 5
    assert [text for call in embedder.calls for text in call if SECRET in text] == []
    hits = await memory.asearch("alice", "deploy token of Zanzibar", limit=20)
    assert any("[redacted token]" in hit.content for hit in hits)


async def test_langgraphs_tables_hold_the_state_as_it_is(opened: Open, rows: Rows) -> None:
    await told(opened, "alice", "secrets")
    assert set(tables_with_the_secret(rows, "public")) <= {
        "public.checkpoints",
        "public.checkpoint_blobs",
        "public.checkpoint_writes",
    }
    held = rows("SELECT count(*) FROM checkpoint_blobs WHERE position(%s::bytea IN blob) > 0", SECRET.encode())
    assert held[0][0] != 0


async def test_a_graph_in_neo4j_is_without_it(
    opened: Open, neo4j: Neo4jDatabase, tenant: str, neo4j_settings: dict[str, Any]
) -> None:
    found: dict[object, list[Any]] = {}
    for redact, whose in ((None, f"{tenant} plain"), ("secrets", tenant)):
        memory, _, _ = await told(opened, whose, redact)
        await GraphProjector(memory.resources.database, neo4j).arun_once(whose)
        nodes = await run(neo4j, whose, "MATCH (n {external_id: $external_id}) RETURN properties(n) AS p")
        links = await run(neo4j, whose, "MATCH ({external_id: $external_id})-[r]->() RETURN properties(r) AS p")
        found[redact] = [each["p"] for each in nodes + links]
    assert SECRET in str(found[None])
    assert SECRET not in str(found["secrets"])
    assert len(found["secrets"]) > 2


async def test_a_thread_goes_on_with_what_memory_holds_redacted(opened: Open) -> None:
    memory = opened(redact="secrets")
    saver = AgentMemorySaver(memory, state_schema=State, on_conflict="refuse")
    for text in (TEXT, f"{TEXT} And so on.", f"{TEXT} And so on."):
        await agent(saver, hydrate=True).ainvoke({"say": {"progress": text}}, of("thread"))
    [notes] = await memory.aget_active_memories("alice")
    assert notes.sections["progress"].content == TEXT.replace(SECRET, "[redacted token]") + " And so on."
    assert notes.sections["progress"].total_updates == 2
    assert await agent(saver, hydrate=True).ainvoke({"say": {}}, of("new")) == {
        "say": {}, "progress": notes.sections["progress"].content,
    }  # fmt: skip


# Names and refusals


async def test_names_that_hold_a_secret_are_refused_at_every_door(opened: Open, rows: Rows) -> None:
    memory = opened(redact="secrets")
    store = AgentMemoryStore(memory)
    saver = AgentMemorySaver(memory, state_schema=State, title=f"Of {SECRET}")
    doors: list[Callable[[], Any]] = [
        lambda: memory.acreate_active_memory("alice", SECRET, {"sections": ["a"]}),
        lambda: memory.acreate_active_memory("alice", "x", {"sections": [SECRET]}),
        lambda: memory.acreate_active_memory("alice", "x", {"sections": ["a"]}, namespace=("alice", SECRET)),
        lambda: store.aput(("alice", "x"), SECRET, {"a": 1}),
        lambda: store.aput(("alice", SECRET), "x", {"a": 1}),
        lambda: memory.aadd("alice", [{"role": "user", "content": "x", "id": SECRET}]),
        lambda: memory.aadd("alice", [], title=SECRET),
        lambda: agent(saver).ainvoke({"say": {"progress": "x"}}, of("thread")),
    ]
    for door in doors:
        with pytest.raises(RedactionError):
            await door()
    assert tables_with_the_secret(rows, "agentmem") == {}


def refusing(text: str) -> str | None:
    return None if "forbidden" in text else text


async def test_what_is_refused_is_an_error_at_every_door_and_nothing_is_stored(opened: Open, rows: Rows) -> None:
    memory = opened(redact=refusing, model=ScriptedModel(answer=lambda *_: {}))
    notes = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a", "b"]})
    store, saver = AgentMemoryStore(memory), AgentMemorySaver(memory, state_schema=State)
    doors: list[Callable[[], Any]] = [
        lambda: memory.aupdate_active_memory_sections(
            "alice",
            notes.id,
            [{"section_id": "a", "new_content": "x"}, {"section_id": "b", "new_content": "forbidden"}],
        ),
        lambda: memory.acreate_active_memory("alice", "x", {"sections": ["a"]}, {"a": "forbidden"}),
        lambda: store.abatch(
            [PutOp(("alice", "x"), "1", {"a": "fine"}), PutOp(("alice", "x"), "2", {"a": "forbidden"})]
        ),
        lambda: agent(saver).ainvoke({"say": {"progress": "forbidden"}}, of("thread")),
        lambda: memory.aadd("alice", [{"role": "user", "content": "forbidden"}]),
    ]
    for door in doors:
        with pytest.raises(RedactionError):
            await door()
    assert rows("SELECT count(*) FROM agentmem.section WHERE value::text ~ 'x|fine|forbidden'") == [(0,)]


async def test_a_model_that_writes_what_is_refused_fails_no_run(opened: Open) -> None:
    def answer(name: str, data: dict[str, Any]) -> Any:
        ids = [chunk["id"] for chunk in data["chunks"]]
        return {"entities": [{"name": "Ada", "types": ["person"], "description": "forbidden", "chunk_ids": ids}]}

    memory = opened(redact=refusing, model=ScriptedModel(answer=answer))
    notes = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    await memory.aupdate_active_memory_section("alice", notes.id, "a", "Ada is here.")
    assert (await memory.aconsolidate("alice", notes.id)).status == "applied"
    assert (await memory.aget_entity("alice", "Ada")).description == "[refused]"


async def test_an_error_that_quotes_it_is_kept_without_it(opened: Open, rows: Rows) -> None:
    def broken(texts: list[str]) -> list[list[float]]:
        if any("Zanzibar" in text for text in texts):
            raise RuntimeError(f"bad key {SECRET}")
        return [[1.0, 0.0]] * len(texts)

    plain = opened(redact="secrets", settings={"embed": "background", "max_attempts": 1})
    notes = await plain.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    await plain.aupdate_active_memory_section("alice", notes.id, "a", "Zanzibar is far.")

    class Finds:
        async def extract(self, chunks: Any) -> Any:
            raise ZeroDivisionError(SECRET)

    memory = opened(
        redact="secrets", index={"embed": broken, "dims": 2}, extractor=Finds(), settings={"model_attempts": 1}
    )
    await memory.aconsolidate("alice", notes.id)
    [run] = await memory.runs.alist("alice")
    assert run.report is not None
    assert "[redacted token]" in str(run.report.failures)
    with pytest.raises(EmbeddingError):
        await memory.queue.aembed_pending("alice")
    assert tables_with_the_secret(rows, "agentmem") == {}


async def test_it_can_be_chosen_by_a_setting_and_is_off_by_default(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def kept() -> Any:
        async with AgentMemoryStore.from_conn_string(dsn) as store:
            await store.aput(("alice", "x"), "1", {"text": SECRET})
            item = await store.aget(("alice", "x"), "1")
            assert item is not None
            return item.value["text"]

    assert await kept() == SECRET
    monkeypatch.setenv("AGENTMEM_REDACT", "secrets")
    assert await kept() == "[redacted token]"


@pytest.mark.parametrize("opening", [AgentMemoryStore.from_conn_string, AgentMemorySaver.from_conn_string])
async def test_stores_and_checkpointers_that_open_a_memory_take_it(dsn: str, opening: Callable[..., Any]) -> None:
    more = {"state_schema": State} if opening == AgentMemorySaver.from_conn_string else {}
    async with opening(dsn, redact=lambda _: "seen", **more) as opened:
        await opened.memory.acreate_active_memory("alice", "seen", {"sections": ["seen"]}, {"seen": "text"})
        [memory] = await opened.memory.aget_active_memories("alice")
        assert memory.sections["seen"].content == "seen"
