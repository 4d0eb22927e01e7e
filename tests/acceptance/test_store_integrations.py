"""The store as that of agents, of langmem and of deepagents, and what becomes of what they put there."""

import asyncio
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from deepagents import create_deep_agent
from deepagents.backends import StoreBackend
from fakes import TurnsModel, WordEmbedder, calls
from langchain.agents import create_agent
from langchain.tools import InjectedStore, ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import create_react_agent
from langgraph.store.base import BaseStore
from langgraph.warnings import LangGraphDeprecatedSinceV10

from langgraph_agentmem import AgentMemorySettings, AgentMemoryStore

with warnings.catch_warnings():
    warnings.simplefilter("ignore", LangGraphDeprecatedSinceV10)  # a dependency of langmem imports an older name
    from langmem import create_manage_memory_tool, create_memory_store_manager, create_search_memory_tool

pytestmark = pytest.mark.filterwarnings(
    "ignore:create_react_agent has been moved:langgraph.warnings.LangGraphDeprecatedSinceV10"
)

Rows = Callable[..., list[tuple[Any, ...]]]
SECTIONS = """
SELECT m.external_id, m.title, s.section_id, s.value FROM agentmem.section s
JOIN agentmem.active_memory m ON (m.external_id, m.id) = (s.external_id, s.memory_id) ORDER BY 1, 2, 3
"""
ALL_TIERS = ("active", "shortterm", "longterm")
TEA, COFFEE = "Alice likes green tea.", "Alice drinks coffee only."


@pytest.fixture
def opened_store(dsn: str) -> Iterator[Callable[..., AgentMemoryStore]]:
    """Opens stores that know vectors on the test's database, and closes them after the test."""
    stores: list[AgentMemoryStore] = []

    def make(**arguments: Any) -> AgentMemoryStore:
        settings = AgentMemorySettings(avg_section_update_count=1, shortterm_update_threshold=2)
        index = {"embed": WordEmbedder(), "dims": 64, "fields": arguments.pop("fields", None)}
        stores.append(AgentMemoryStore.from_conn_string(dsn, index=index, settings=settings, **arguments))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def thread(name: str, user: str = "alice") -> RunnableConfig:
    return {"configurable": {"thread_id": name, "user_id": user, "langgraph_user_id": user}}


def asked(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def results(state: dict[str, Any]) -> list[str]:
    """What the tools of a conversation returned."""
    return [message.content for message in state["messages"] if message.type == "tool"]


# Agents


@tool
def remember(key: str, text: str, runtime: ToolRuntime) -> str:
    """Save a preference."""
    runtime.store.put((runtime.config["configurable"]["user_id"], "preferences"), key, {"text": text})
    return "saved"


@tool
def recall(query: str, store: Annotated[BaseStore, InjectedStore()], config: RunnableConfig) -> str:
    """Search preferences."""
    found = store.search((config["configurable"]["user_id"],), query=query, limit=1)
    return "; ".join(item.value["text"] for item in found)


@tool("remember")
async def aremember(key: str, text: str, store: Annotated[BaseStore, InjectedStore()], config: RunnableConfig) -> str:
    """Save a preference."""
    await store.aput((config["configurable"]["user_id"], "preferences"), key, {"text": text})
    return "saved"


@tool("recall")
async def arecall(query: str, runtime: ToolRuntime) -> str:
    """Search preferences."""
    found = await runtime.store.asearch((runtime.config["configurable"]["user_id"],), query=query, limit=1)
    return "; ".join(item.value["text"] for item in found)


def conversations() -> TurnsModel:
    """Alice says what she likes in one thread, and asks in another; so does Bob."""
    saved = [calls(("remember", {"key": "drink", "text": TEA}), ("remember", {"key": "place", "text": "By the sea."}))]
    found = [calls(("recall", {"query": "likes green tea"}))]
    done = [AIMessage("Done.")]
    return TurnsModel(turns=[*saved, *done, *found, *done, *found, *done])


def invoked(agent: Any) -> list[list[str]]:
    """What the tools returned in Alice's two threads and in Bob's."""
    return [
        results(agent.invoke(asked("I like green tea."), thread("first"))),
        results(agent.invoke(asked("What do I like?"), thread("second"))),
        results(agent.invoke(asked("What do I like?"), thread("third", "bob"))),
    ]


async def ainvoked(agent: Any) -> list[list[str]]:
    return [
        results(await agent.ainvoke(asked("I like green tea."), thread("first"))),
        results(await agent.ainvoke(asked("What do I like?"), thread("second"))),
        results(await agent.ainvoke(asked("What do I like?"), thread("third", "bob"))),
    ]


@pytest.mark.parametrize("create", [create_agent, create_react_agent])
@pytest.mark.parametrize(
    ("tools", "run"),
    [
        pytest.param([remember, recall], invoked, id="invoke"),
        pytest.param([remember, recall], lambda agent: asyncio.run(ainvoked(agent)), id="ainvoke-sync-tools"),
        pytest.param([aremember, arecall], lambda agent: asyncio.run(ainvoked(agent)), id="ainvoke-async-tools"),
    ],
)
def test_an_agents_tools_keep_what_they_learn(
    opened_store: Callable[..., AgentMemoryStore],
    rows: Rows,
    create: Callable[..., Any],
    tools: list[BaseTool],
    run: Callable[[Any], list[list[str]]],
) -> None:
    agent = create(conversations(), tools, store=opened_store(), checkpointer=InMemorySaver())

    assert run(agent) == [["saved", "saved"], [TEA], [""]]
    assert rows(SECTIONS) == [
        ("alice", "preferences", "drink", {"text": TEA}),
        ("alice", "preferences", "place", {"text": "By the sea."}),
    ]


def test_a_store_serves_sync_and_async_runs_of_one_agent(opened_store: Callable[..., AgentMemoryStore]) -> None:
    turns = conversations().turns
    agent = create_agent(TurnsModel(turns=turns), [remember, recall], store=opened_store())

    assert results(agent.invoke(asked("I like green tea."), thread("first"))) == ["saved", "saved"]
    assert results(asyncio.run(agent.ainvoke(asked("What do I like?"), thread("second")))) == [TEA]


# From an agent to long-term memory


async def test_what_an_agent_puts_is_consolidated_and_found(opened_store: Callable[..., AgentMemoryStore]) -> None:
    store = opened_store()
    agent = create_agent(conversations(), [aremember, arecall], store=store)
    await agent.ainvoke(asked("I like green tea."), thread("first"))

    [report] = await store.memory.queue.arun_due()

    assert (report.status, report.updates_consumed) == ("applied", 2)
    assert {hit.tier for hit in await store.memory.asearch("alice", "green tea")} == {"shortterm"}

    await store.aput(("alice", "preferences"), "drink", {"text": COFFEE})
    everything = opened_store(tiers=ALL_TIERS)
    assert [item.value.get("text") for item in await store.asearch(("alice",), query="green tea", limit=1)] == [COFFEE]
    [best] = await everything.asearch(("alice",), query="likes green tea", limit=1)
    assert (best.namespace, best.value["content"]) == (("alice", "preferences", "@shortterm"), TEA)

    [preferences] = await store.memory.aget_active_memories("alice")
    await store.memory.aconsolidate("alice", preferences.id)
    assert [hit.tier for hit in await store.memory.asearch("alice", "drinks coffee", limit=1)] == ["longterm"]
    [best] = await everything.asearch(("alice", "@longterm"), query="drinks coffee", limit=1)
    assert (best.namespace, best.value["content"]) == (("alice", "preferences", "@longterm"), COFFEE)

    await store.adelete(("alice", "preferences"), "drink")
    assert [hit.content for hit in await store.memory.asearch("alice", "likes drinks tea coffee")] == ["By the sea."]


# langmem

MEMORIES = ("memories", "{langgraph_user_id}")


def memory_agent(turns: list[AIMessage], store: AgentMemoryStore) -> Any:
    tools = [create_manage_memory_tool(MEMORIES), create_search_memory_tool(MEMORIES)]
    return create_agent(TurnsModel(turns=turns), tools, store=store)


def managed(action: str, content: str | None = None, id: str | None = None) -> AIMessage:
    given = {"action": action, "content": content, "id": id}
    return calls(("manage_memory", {name: value for name, value in given.items() if value is not None}))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_langmems_tools_write_search_and_delete(
    opened_store: Callable[..., AgentMemoryStore], rows: Rows, asynchronous: bool
) -> None:
    store = opened_store(owner=1, fields=["content"])

    def said(*turns: AIMessage, user: str = "alice") -> list[str]:
        agent = memory_agent([*turns, AIMessage("Done.")], store)
        if asynchronous:
            return results(asyncio.run(agent.ainvoke(asked("..."), thread("any", user))))
        return results(agent.invoke(asked("..."), thread("any", user)))

    [created] = said(managed("create", TEA))
    id = created.removeprefix("created memory ")
    assert rows(SECTIONS) == [("alice", "memories", id, {"content": TEA})]

    search = calls(("search_memory", {"query": "likes green tea"}))
    [found] = said(search)
    assert [(item["key"], item["value"]) for item in json.loads(found)] == [(id, {"content": TEA})]
    assert said(search, user="bob") == ["[]"]

    said(managed("update", COFFEE, id))
    assert rows(SECTIONS) == [("alice", "memories", id, {"content": COFFEE})]
    assert store.memory.queue.run_due()[0].status == "applied"
    assert [hit.tier for hit in store.memory.search("alice", "drinks coffee")] == ["shortterm"]

    said(managed("delete", id=id))
    assert rows(SECTIONS) == []
    assert store.memory.search("alice", "drinks coffee") == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_langmems_store_manager_adds_changes_and_removes(
    opened_store: Callable[..., AgentMemoryStore], rows: Rows, asynchronous: bool
) -> None:
    store = opened_store(owner=1, fields=["content.content"])

    def heard(text: str, *tools: tuple[str, dict[str, Any]]) -> TurnsModel:
        model = TurnsModel(turns=[calls(*tools)])
        manager = create_memory_store_manager(model, namespace=MEMORIES, store=store, enable_deletes=True)
        if asynchronous:
            asyncio.run(manager.ainvoke(asked(text), config=thread("any")))
        else:
            manager.invoke(asked(text), config=thread("any"))
        return model

    heard("I like green tea.", ("Memory", {"content": TEA}))
    [(tenant, title, key, value)] = rows(SECTIONS)
    assert (tenant, title, value) == ("alice", "memories", {"kind": "Memory", "content": {"content": TEA}})

    [item] = store.search(("memories", "alice"))
    known = create_memory_store_manager(TurnsModel(turns=[]), store=store)._stable_id(item)
    patch = {"op": "replace", "path": "/content", "value": COFFEE}
    model = heard(
        "Coffee only, now.", ("PatchDoc", {"json_doc_id": known, "planned_edits": "coffee", "patches": [patch]})
    )
    assert TEA in str(model.prompts[0])  # it was searched for, and shown to the model
    assert rows(SECTIONS) == [("alice", "memories", key, {"kind": "Memory", "content": {"content": COFFEE}})]
    store.memory.queue.run_due()
    assert [hit.content for hit in store.memory.search("alice", "coffee", tiers=["shortterm"])] == [COFFEE]

    heard("Forget it.", ("RemoveDoc", {"json_doc_id": known}))
    assert rows(SECTIONS) == []
    assert store.memory.search("alice", "coffee") == []


# deepagents


@pytest.mark.parametrize("asynchronous", [False, True])
def test_files_of_a_deep_agent_are_read_in_another_thread(
    opened_store: Callable[..., AgentMemoryStore], rows: Rows, asynchronous: bool
) -> None:
    store = opened_store(owner=1, fields=["content"])

    def done(name: str, *turns: AIMessage) -> list[str]:
        agent = create_deep_agent(
            TurnsModel(turns=[*turns, AIMessage("Done.")]),
            backend=StoreBackend(namespace=lambda _: ("files", "alice")),
            store=store,
            checkpointer=InMemorySaver(),
        )
        if asynchronous:
            return results(asyncio.run(agent.ainvoke(asked("..."), thread(name))))
        return results(agent.invoke(asked("..."), thread(name)))

    done("first", calls(("write_file", {"file_path": "/notes/drinks.md", "content": TEA})))
    [(tenant, title, key, value)] = rows(SECTIONS)
    assert (tenant, title, key, value["content"]) == ("alice", "files", "/notes/drinks.md", TEA)

    listed, read, found = done(
        "second",
        calls(("ls", {"path": "/notes/"})),
        calls(("read_file", {"file_path": "/notes/drinks.md"})),
        calls(("grep", {"pattern": "green"})),
    )
    assert "/notes/drinks.md" in listed
    assert TEA in read
    assert "/notes/drinks.md" in found

    change = {"file_path": "/notes/drinks.md", "old_string": TEA, "new_string": COFFEE}
    done("third", calls(("edit_file", change)))
    assert COFFEE in done("fourth", calls(("read_file", {"file_path": "/notes/drinks.md"})))[0]
    assert store.memory.queue.run_due()[0].status == "applied"
    assert [hit.content for hit in store.memory.search("alice", "coffee", tiers=["shortterm"])] == [COFFEE]
