"""Checkpoints are LangGraph's own: its checkpointer reads what was written here, and the other way round."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated, Any, TypedDict

import forking
import langgraph.checkpoint.postgres
import psycopg
import pytest
from checkpoint_threads import Delta, State, agent, appended, content, of
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Send

from langgraph_agentmem import AgentMemorySaver

Rows = Callable[..., list[tuple[object, ...]]]


class LongDelta(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(appended, snapshot_frequency=100)]
    plain: dict[str, Any]


async def test_langgraphs_own_checkpointer_reads_what_was_written_here_and_the_other_way_round(
    dsn: str, delta_saver: AgentMemorySaver
) -> None:
    ours = agent(delta_saver, Delta)
    async with AsyncPostgresSaver.from_conn_string(dsn) as upstream:
        theirs = agent(upstream, Delta)
        for step in range(6):
            graph = (ours, theirs)[step % 2]
            await graph.ainvoke({"log": [str(step)]}, of("1"))
            assert (await theirs.aget_state(of("1"))).values == (await ours.aget_state(of("1"))).values
        history = [[state async for state in graph.aget_state_history(of("1"))] for graph in (ours, theirs)]
    assert history[0] == history[1]
    assert (await ours.aget_state(of("1"))).values["log"] == [str(step) for step in range(6)]
    assert await content(delta_saver, "log") == "\n".join(f"- '{step}'" for step in range(5))  # up to ours


async def test_a_database_of_langgraphs_own_is_taken_over(empty_dsn: str) -> None:
    with PostgresSaver.from_conn_string(empty_dsn) as upstream:
        upstream.setup()
        agent(upstream).invoke({"notes": ["tea"]}, of("1"))
    before = schema(empty_dsn)

    async with AgentMemorySaver.from_conn_string(empty_dsn, state_schema=State) as saver:
        graph = agent(saver)
        assert (await graph.aget_state(of("1"))).values["notes"] == ["tea"]
        await graph.ainvoke({"notes": ["tea", "cake"]}, of("1"))
        assert await content(saver, "notes") == "- tea\n- cake"
    assert schema(empty_dsn) == before


async def test_what_was_sent_before_format_4_is_read_from_the_parent(
    saver: AgentMemorySaver, dsn: str, rows: Rows
) -> None:
    parent, child = empty_checkpoint(), empty_checkpoint()
    child |= {"v": 3, "channel_versions": {"__pregel_tasks": "1"}}
    first = await saver.aput(of("1", checkpoint_ns=""), parent, {"step": 0}, {})
    await saver.aput_writes(
        first, [("__pregel_tasks", Send("work", {"cup": 1}))], "00000000-0000-0000-0000-000000000001"
    )
    await saver.aput(first, child, {"step": 1}, {})

    async with AsyncPostgresSaver.from_conn_string(dsn) as upstream:
        theirs = [await upstream.aget_tuple(of("1")), *[found async for found in upstream.alist(of("1"))]]
    ours = [await saver.aget_tuple(of("1")), *[found async for found in saver.alist(of("1"))]]

    assert ours == theirs
    assert ours[0].checkpoint["channel_values"]["__pregel_tasks"] == [Send("work", {"cup": 1})]


async def test_long_histories_of_delta_channels_are_read_page_by_page(
    delta_saver: AgentMemorySaver, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = agent(delta_saver, LongDelta)
    for step in range(8):
        await graph.ainvoke({"log": [str(step)]}, of("1"))
    async with AsyncPostgresSaver.from_conn_string(dsn) as upstream:
        theirs = await upstream.aget_delta_channel_history(config=of("1", checkpoint_ns=""), channels=["log"])

    monkeypatch.setattr(
        langgraph.checkpoint.postgres, "_DELTA_PAGE_SIZE", 3
    )  # LangGraph has no other way; its pages hold 1,024 steps
    ours = await delta_saver.aget_delta_channel_history(config=of("1", checkpoint_ns=""), channels=["log"])

    assert ours == theirs
    assert [value for _, _, value in ours["log"]["writes"]] == [[str(step)] for step in range(8)]


def schema(dsn: str) -> list[tuple[object, ...]]:
    """The columns and indexes of LangGraph's tables."""
    with psycopg.connect(dsn) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        return (
            columns
            + connection.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1").fetchall()
        )


def _set_up(dsn: str) -> int:
    with AgentMemorySaver.from_conn_string(dsn) as saver:
        return len(list(saver.list(None)))


def test_ten_processes_set_up_at_once(empty_dsn: str) -> None:
    with ProcessPoolExecutor(10, mp_context=forking.CONTEXT) as pool:
        assert list(pool.map(_set_up, [empty_dsn] * 10)) == [0] * 10
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT count(*), max(v) FROM checkpoint_migrations").fetchone() == (
            len(PostgresSaver.MIGRATIONS), len(PostgresSaver.MIGRATIONS) - 1
        )  # fmt: skip
