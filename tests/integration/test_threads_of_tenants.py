"""A checkpointer that binds threads to tenants lets nobody go on with another one's."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from checkpointing import State, agent, of
from langgraph.checkpoint.base import empty_checkpoint

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import ForeignThreadError, InvalidInputError

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]
EVERYTHING = "SELECT count(*) FROM checkpoints UNION ALL SELECT count(*) FROM checkpoint_writes"


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State, bind_threads=True)


async def tried(saver: AgentMemorySaver, config: dict[str, Any]) -> dict[str, object]:
    """What comes of each call that takes a config."""
    nested = {**config, "configurable": {"checkpoint_ns": "", **config["configurable"]}}
    metadata: Any = {"source": "input", "step": -1}

    async def listed(config: Any, **more: Any) -> list[Any]:
        return [each async for each in saver.alist(config, **more)]

    calls: dict[str, Callable[[], Any]] = {
        "get": lambda: saver.aget_tuple(config),
        "list": lambda: listed(config),
        "put": lambda: saver.aput(nested, empty_checkpoint(), metadata, {}),
        "put in a subgraph": lambda: saver.aput(
            {**nested, "configurable": {**nested["configurable"], "checkpoint_ns": "sub"}},
            empty_checkpoint(), metadata, {},
        ),
        "writes": lambda: saver.aput_writes(
            {**nested, "configurable": {"checkpoint_id": "1", **nested["configurable"]}}, [("say", {})], "task"
        ),
        "history": lambda: saver.aget_delta_channel_history(config=nested, channels=["facts"]),
        "run": lambda: agent(saver).ainvoke({"say": {"progress": "by bob"}}, config),
        "state": lambda: agent(saver).aget_state(config),
        "update": lambda: agent(saver).aupdate_state(config, {"progress": "by bob"}),
    }  # fmt: skip
    came: dict[str, object] = {}
    for name, call in calls.items():
        try:
            came[name] = await call()
        except (ForeignThreadError, InvalidInputError) as error:
            came[name] = type(error)
    return came


async def test_another_tenant_neither_reads_nor_writes_a_thread(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "by alice"}}, of("1"))
    latest = await saver.aget_tuple(of("1"))
    assert latest is not None
    before = rows(EVERYTHING)

    # neither through this object, which knows the thread, nor through one that has never seen it
    for other in (saver, savers()):
        assert set((await tried(other, of("1", "bob"))).values()) == {ForeignThreadError}
    named = of("1", "bob", checkpoint_id=latest.config["configurable"]["checkpoint_id"])
    with pytest.raises(
        ForeignThreadError, match=r"thread '1' is another tenant's; give each tenant threads of its own"
    ):
        await savers().aget_tuple(named)

    assert rows(EVERYTHING) == before
    assert (await agent(saver).ainvoke({"say": {"facts": ["on"]}}, of("1")))["progress"] == "by alice"
    assert (await agent(savers()).ainvoke({"say": {"progress": "by bob"}}, of("2", "bob")))["progress"] == "by bob"


async def test_a_config_without_a_tenant_or_a_thread_is_refused(savers: Savers) -> None:
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "by alice"}}, of("1"))
    assert set((await tried(saver, of("1", None))).values()) == {InvalidInputError}
    with pytest.raises(InvalidInputError, match=r"names no tenant, as 'agent_id' or 'user_id'; it looks like"):
        await saver.aget_tuple(of("1", None))
    with pytest.raises(InvalidInputError, match="names no thread, as 'thread_id'"):
        [each async for each in saver.alist(None)]


async def test_a_thread_that_was_begun_by_two_is_nobodys(savers: Savers, opened_savers: Savers) -> None:
    unbound = opened_savers(state_schema=State)
    for tenant in ("alice", "bob"):
        await agent(unbound).ainvoke({"say": {"progress": tenant}}, of("1", tenant))
    saver = savers()
    for tenant in ("alice", "bob"):
        came = await tried(saver, of("1", tenant))
        # its latest checkpoint is bob's alone
        assert {call for call, what in came.items() if what is not ForeignThreadError} <= (
            {"get", "state"} if tenant == "bob" else set()
        )


async def test_a_thread_without_a_tenant_becomes_that_of_the_first_that_goes_on_with_it(
    savers: Savers, opened_savers: Savers
) -> None:
    await agent(opened_savers(state_schema=State)).ainvoke({"say": {"progress": "begun"}}, of("1", None))
    saver = savers()
    await agent(saver).ainvoke({"say": {"facts": ["a"]}}, of("1", 7))
    with pytest.raises(ForeignThreadError):
        await agent(saver).ainvoke({"say": {"facts": ["b"]}}, of("1", "bob"))
    assert (await agent(saver).aget_state(of("1", "7"))).values["facts"] == ["a"]


async def test_a_thread_that_was_deleted_is_free_again(savers: Savers) -> None:
    saver = savers()
    for tenant in ("alice", "bob", "alice"):
        await agent(saver).ainvoke({"say": {"progress": tenant}}, of("1", tenant))
        await saver.adelete_thread("1")


def test_sync_calls_are_held_as_well_and_so_is_a_setting(savers: Savers, opened_savers: Savers) -> None:
    saver = opened_savers(state_schema=State, settings={"checkpoint_bind_threads": True})
    agent(saver).invoke({"say": {"progress": "by alice"}}, of("1"))
    for call in (saver.get_tuple, lambda config: list(saver.list(config)), agent(savers()).get_state):
        with pytest.raises(ForeignThreadError):
            call(of("1", "bob"))
