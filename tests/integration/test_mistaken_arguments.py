"""What is given in the place of something else is refused by an error of this package's, and nothing is done."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemoryStore
from langgraph_agentmem.errors import InvalidInputError, InvalidTextError

TEMPLATE = {"sections": ["notes"]}


class Unwritable:
    """What cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


def nested(levels: int = 5_000) -> dict[str, Any]:
    """A value that is nested too deep for most."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


SWITCHES: dict[str, Callable[[AgentMemory, Any], Any]] = {
    "forget": lambda memory, given: memory.adelete_active_memory("alice", 1, forget=given),
    "checkpoints": lambda memory, given: memory.aforget_tenant("alice", checkpoints=given),
    "dry_run": lambda memory, given: memory.aconsolidate("alice", 1, dry_run=given),
    "force": lambda memory, given: memory.apromote("alice", 1, force=given),
    "infer": lambda memory, given: memory.aadd("alice", [], infer=given),
    "search_longterm": lambda memory, given: memory.aretrieve_memories("alice", "x", search_longterm=given),
    "exist_ok": lambda memory, given: memory.acreate_active_memory("alice", "Notes", TEMPLATE, exist_ok=given),
}


@pytest.mark.parametrize("given", ["no", "false", 0, None, []])
async def test_a_switch_is_true_or_false_and_no_text_that_says_so(memory: AgentMemory, given: Any) -> None:
    kept = await memory.acreate_active_memory("alice", "Kept", TEMPLATE)
    for name, call in SWITCHES.items():
        with pytest.raises(InvalidInputError, match=f"{name} must be True or False, not "):
            await call(memory, given)
    assert [each.id for each in await memory.aget_active_memories("alice")] == [kept.id]


LISTS: dict[str, Callable[[AgentMemory, Any], Any]] = {
    "threads": lambda memory, given: memory.aforget_tenant("alice", threads=given),
    "thread_ids": lambda memory, given: AgentMemorySaver(memory).aprune(given),
    "run_ids": lambda memory, given: AgentMemorySaver(memory).adelete_for_runs(given),
    "messages": lambda memory, given: memory.acontext("alice", messages=given),
    "words": lambda memory, given: memory.graph.anamed("alice", given),
    "ops": lambda memory, given: AgentMemoryStore(memory).abatch(given),
}


@pytest.mark.parametrize("given", ["1", b"1", None, 1, {"1": "2"}, str])
async def test_a_list_is_no_text_nor_anything_else(memory: AgentMemory, given: Any) -> None:
    for name, call in LISTS.items():
        with pytest.raises(InvalidInputError, match=f"{name} must be a list, not {type(given).__name__}"):
            await call(memory, given)


@pytest.mark.parametrize("given", [["1"], None, {"thread_id": "1"}, 1.5, "\0", "\ud800"])
async def test_threads_are_named_by_ids(memory: AgentMemory, given: Any) -> None:
    saver = AgentMemorySaver(memory)
    with pytest.raises(InvalidInputError, match=r"thread_id (must be|holds)"):
        await saver.adelete_thread(given)
    with pytest.raises(InvalidInputError, match=r"an id of thread_ids (must be|holds)"):
        await saver.aprune([given])
    with pytest.raises(InvalidInputError, match=r"source_thread_id (must be|holds)"):
        await saver.acopy_thread(given, "2")
    with pytest.raises(InvalidInputError, match=r"target_thread_id (must be|holds)"):
        await saver.acopy_thread("1", given)


@pytest.mark.parametrize("config", [None, {}, {"thread_id": "1"}, {"configurable": {}}, {"configurable": None}])
async def test_a_config_names_a_thread(memory: AgentMemory, config: Any) -> None:
    saver = AgentMemorySaver(memory)
    calls: list[Callable[[], Any]] = [
        lambda: saver.aget_tuple(config),
        lambda: saver.aput(config, empty_checkpoint(), {}, {}),
        lambda: saver.aput_writes(config, [("a", 1)], "task"),
        lambda: saver.aget_delta_channel_history(config=config, channels=[]),
    ]
    for call in calls:
        with pytest.raises(InvalidInputError, match=r'names no thread; it looks like \{"configurable"'):
            await call()


@pytest.mark.parametrize("thread", [5, UUID(int=1), 1.5])
async def test_a_graph_takes_any_id_of_a_thread_and_a_checkpointer_texts(memory: AgentMemory, thread: Any) -> None:
    saver = AgentMemorySaver(memory)
    with pytest.raises(InvalidInputError, match=f"thread_id must be a string, not {type(thread).__name__}"):
        await saver.aget_tuple({"configurable": {"thread_id": thread}})
    graph = StateGraph(dict).add_node("work", lambda state: {"done": True}).add_edge(START, "work")
    agent, config = graph.compile(checkpointer=saver), {"configurable": {"thread_id": thread}}
    await agent.ainvoke({"done": False}, config)
    await agent.aupdate_state(config, {"done": "again"})
    assert (await agent.aget_state(config)).values == {"done": "again"}
    assert (await agent.aget_state({"configurable": {"thread_id": str(thread)}})).values == {"done": "again"}


async def test_a_filter_is_a_dict(memory: AgentMemory) -> None:
    with pytest.raises(InvalidInputError, match=r"filter must be a dict such as .*, not \['open'\]"):
        await AgentMemoryStore(memory).asearch(("alice",), filter=["open"])


@pytest.mark.parametrize(("text", "problem"), [("a\0b", "NUL"), ("a\ud800", "lone surrogate")])
async def test_a_text_that_nothing_checks_is_refused_where_it_would_be_sent(
    memory: AgentMemory, text: str, problem: str
) -> None:
    saver, thread = AgentMemorySaver(memory), {"configurable": {"thread_id": text, "checkpoint_ns": ""}}
    with pytest.raises(InvalidTextError, match=problem):
        await saver.aget_tuple(thread)
    with pytest.raises(InvalidTextError, match=problem):
        await saver.aput(thread, empty_checkpoint(), {}, {})
    assert await saver.aget_tuple({"configurable": {"thread_id": "1"}}) is None


@pytest.mark.parametrize(
    "given", [Unwritable(), nested(), 10**5_000, "x" * 1_000], ids=["unwritable", "deep", "huge", "long"]
)
async def test_a_refusal_stands_whatever_the_value_looks_like(memory: AgentMemory, given: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await memory.asearch("alice", "x", tiers=given)
    assert len(str(refused.value)) < 200
    with pytest.raises(InvalidInputError) as refused:
        await memory.asearch("alice", "x", limit=given)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("sections", [3, "profile", [None], {"profile": 3}, {"sections": {}}])
async def test_sections_that_cannot_be_are_refused_where_there_is_a_memory_already(
    memory: AgentMemory, sections: Any
) -> None:
    await memory.aadd("alice", [{"role": "user", "content": "I live in Oslo."}])
    with pytest.raises(InvalidInputError, match=r"template|section"):
        await memory.aadd("alice", [{"role": "user", "content": "I live in Rome."}], sections=sections)
    assert await memory.asearch("alice", "Rome") == []


async def test_a_grant_that_cannot_be_read_back_is_not_given(memory: AgentMemory) -> None:
    for year in (1, 9999):
        with pytest.raises(InvalidInputError, match="expires_at must be within the years 2 to 9998"):
            await memory.grants.agive("alice", "bob", (), expires_at=datetime(year, 12, 31, tzinfo=UTC))
    assert await memory.grants.alist("alice") == []


async def test_an_item_is_not_deleted_by_putting_nothing(memory: AgentMemory) -> None:
    store, notes = AgentMemoryStore(memory), ("alice", "notes")
    item = await store.aput_if(notes, "1", {"text": "Call Bo."}, revision=0)
    for value in (None, 3, "text", [("text", "x")]):
        with pytest.raises(InvalidInputError, match="value must be a dict"):
            await store.aput_if(notes, "1", value, revision=item.revision)
    assert await store.aget(notes, "1") == item


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf"), "10", True])
async def test_a_sweeper_rests_between_its_rounds(memory: AgentMemory, minutes: Any) -> None:
    with pytest.raises(InvalidInputError, match="sweep_interval_minutes must be a positive number of minutes"):
        await AgentMemoryStore(memory).astart_ttl_sweeper(minutes)


async def test_a_tenant_whose_chunks_are_to_be_embedded_can_be_one(memory: AgentMemory) -> None:
    with pytest.raises(InvalidInputError, match="external_id"):
        await memory.queue.aembed_pending("\0")
    with pytest.raises(InvalidInputError, match="on_progress must be a function"):
        await memory.queue.aembed_pending("alice", on_progress=3)
