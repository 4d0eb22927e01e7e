"""What a checkpointer does with whole threads: delete, copy, prune, hand over to LangGraph's own and back."""

import asyncio
import copy
import operator
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import get_ident
from typing import Annotated, Any, TypedDict

import langgraph.checkpoint.postgres
import psycopg
import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel

from langgraph_agentmem import AgentMemorySaver, AgentMemorySettings, MemorySection
from langgraph_agentmem.errors import CheckpointInUseError, InvalidInputError, OutageError, SyncCallError

Rows = Callable[..., list[tuple[object, ...]]]
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


def appended(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class State(TypedDict, total=False):
    notes: Annotated[list[str], MemorySection("What is known")]
    plain: dict[str, Any]


class Delta(TypedDict, total=False):
    log: Annotated[list[str], MemorySection(), DeltaChannel(appended, snapshot_frequency=4)]
    plain: dict[str, Any]


class LongDelta(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(appended, snapshot_frequency=100)]
    plain: dict[str, Any]


@pytest.fixture
def saver(opened_savers: Callable[..., AgentMemorySaver]) -> AgentMemorySaver:
    return opened_savers(state_schema=State)


@pytest.fixture
def delta_saver(opened_savers: Callable[..., AgentMemorySaver]) -> AgentMemorySaver:
    return opened_savers(state_schema=Delta)


def agent(saver: BaseCheckpointSaver[str], schema: type = State) -> Any:
    graph = StateGraph(schema)
    graph.add_node("work", lambda state: {"plain": {"seen": len(state.get("notes") or state.get("log") or [])}})
    graph.add_edge(START, "work")
    return graph.compile(checkpointer=saver)


def of(thread: str, **more: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "user_id": "alice"} | more}


def size(rows: Rows, thread: str) -> tuple[object, ...]:
    """How many rows a thread has, by table."""
    return tuple(rows(f"SELECT count(*) FROM {table} WHERE thread_id = %s", thread)[0][0] for table in TABLES)


def seen(rows: Rows) -> list[tuple[object, ...]]:
    return rows("SELECT external_id, section_id, thread_id FROM agentmem.thread_section ORDER BY 1, 2, 3")


async def content(saver: AgentMemorySaver, section: str) -> str:
    [memory] = await saver.memory.aget_active_memories("alice")
    return memory.sections[section].content


# Deleting


async def test_a_deleted_thread_leaves_its_memory(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    await graph.ainvoke({"notes": ["tea"]}, of("1"))
    await graph.ainvoke({"notes": ["cake"]}, of("2"))
    kept = size(rows, "2")

    await saver.adelete_thread("1")

    assert size(rows, "1") == (0, 0, 0)
    assert size(rows, "2") == kept
    assert seen(rows) == [("alice", "notes", "2")]
    assert await content(saver, "notes") == "- cake"


async def test_runs_are_deleted_with_what_only_they_had(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    await graph.ainvoke({"notes": ["tea"]}, of("1") | {"metadata": {"run_id": "first"}})
    kept = rows("SELECT channel, version FROM checkpoint_blobs ORDER BY 1, 2")
    await graph.ainvoke({"notes": ["cake"]}, of("1") | {"metadata": {"run_id": "second"}})

    await saver.adelete_for_runs(["second"])

    assert (await graph.aget_state(of("1"))).values == {"notes": ["tea"], "plain": {"seen": 1}}
    assert rows("SELECT channel, version FROM checkpoint_blobs ORDER BY 1, 2") == kept
    assert rows(
        "SELECT count(*) FROM checkpoint_writes w LEFT JOIN checkpoints c USING (checkpoint_id) WHERE c IS NULL"
    ) == [(0,)]
    await graph.ainvoke({"notes": ["cake", "again"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["notes"] == ["cake", "again"]


async def test_a_run_in_the_middle_leaves_what_came_after_it(saver: AgentMemorySaver) -> None:
    graph = agent(saver)
    for run, note in (("first", "tea"), ("second", "cake"), ("third", "milk")):
        await graph.ainvoke({"notes": [note]}, of("1") | {"metadata": {"run_id": run}})

    await saver.adelete_for_runs(["second"])

    states = [state async for state in graph.aget_state_history(of("1"))]
    assert {state.metadata["run_id"] for state in states} == {"first", "third"}
    assert states[0].values == {"notes": ["milk"], "plain": {"seen": 1}}
    assert [state.parent_config for state in states if state.metadata["run_id"] == "third"][-1] is None


async def test_a_run_that_delta_channels_are_rebuilt_from_is_not_deleted(
    delta_saver: AgentMemorySaver, rows: Rows
) -> None:
    graph = agent(delta_saver, Delta)
    for run in ("first", "second"):
        await graph.ainvoke({"log": [run]}, of("1") | {"metadata": {"run_id": run}})
    before = size(rows, "1")

    with pytest.raises(CheckpointInUseError, match="later checkpoints of '1' rebuild their delta channels") as caught:
        await delta_saver.adelete_for_runs(["first"])

    assert caught.value.thread_ids == ["1"]
    assert size(rows, "1") == before
    await delta_saver.adelete_for_runs(["second"])
    assert (await graph.aget_state(of("1"))).values["log"] == ["first"]
    await delta_saver.adelete_for_runs(["first"])
    assert size(rows, "1") == (0, 0, 0)


# Copying


async def test_a_copy_goes_on_by_itself(delta_saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(delta_saver, Delta)
    for step in range(3):
        await graph.ainvoke({"log": [str(step)]}, of("1"))
    await delta_saver.acopy_thread("1", "2")

    assert size(rows, "2") == size(rows, "1")
    assert seen(rows) == [("alice", "log", "1"), ("alice", "log", "2")]
    await graph.ainvoke({"log": ["of two"]}, of("2"))
    assert (await graph.aget_state(of("1"))).values["log"] == ["0", "1", "2"]
    assert (await graph.aget_state(of("2"))).values["log"] == ["0", "1", "2", "of two"]
    with pytest.raises(InvalidInputError, match="thread '2' has checkpoints already"):
        await delta_saver.acopy_thread("1", "2")


# Pruning


async def test_the_latest_checkpoint_is_kept_with_what_it_needs(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    for thread in "12":
        for step in range(5):
            await graph.ainvoke({"notes": [str(step)]}, of(thread))
    other = size(rows, "2")

    await saver.aprune(["1", "nobody's"])

    assert size(rows, "1")[0] == 1
    assert rows("SELECT channel FROM checkpoint_blobs WHERE thread_id = '1' ORDER BY 1") == [("notes",), ("plain",)]
    assert size(rows, "2") == other
    state = await graph.aget_state(of("1"))
    assert (state.values, state.parent_config) == ({"notes": ["4"], "plain": {"seen": 1}}, None)
    await graph.ainvoke({"notes": ["on"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["notes"] == ["on"]


@pytest.mark.parametrize("steps", range(1, 12))
async def test_delta_channels_survive_pruning(delta_saver: AgentMemorySaver, rows: Rows, steps: int) -> None:
    graph = agent(delta_saver, Delta)
    for step in range(steps):
        await graph.ainvoke({"log": [str(step)]}, of("1"))
    before = size(rows, "1")

    await delta_saver.aprune(["1"], strategy="keep_latest")

    assert (await graph.aget_state(of("1"))).values["log"] == [str(step) for step in range(steps)]
    left = size(rows, "1")
    assert left[0] <= before[0]
    assert left[0] <= 13, "no more than a snapshot, and the checkpoints since"
    await delta_saver.aprune(["1"], strategy="keep_latest")
    assert size(rows, "1") == left
    await graph.ainvoke({"log": ["on"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["log"] == [*(str(step) for step in range(steps)), "on"]


class Plain(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    plain: dict[str, Any]


async def test_a_channel_that_was_a_delta_channel_once_survives_as_well(
    delta_saver: AgentMemorySaver, rows: Rows
) -> None:
    for run in ("first", "second"):
        await agent(delta_saver, Delta).ainvoke({"log": [run]}, of("1") | {"metadata": {"run_id": run}})
    graph = agent(delta_saver, Plain)
    await graph.ainvoke({"plain": {}}, of("1") | {"metadata": {"run_id": "third"}})
    assert (await graph.aget_state(of("1"))).values["log"] == ["first", "second"]

    with pytest.raises(CheckpointInUseError):
        await delta_saver.adelete_for_runs(["first"])
    await delta_saver.aprune(["1"])

    assert (await graph.aget_state(of("1"))).values["log"] == ["first", "second"]


async def test_forks_of_delta_threads_are_pruned_to_the_latest(delta_saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(delta_saver, Delta)
    await graph.ainvoke({"log": ["one"]}, of("1"))
    past = (await graph.aget_state(of("1"))).config["configurable"]
    for step in range(3):
        await graph.ainvoke({"log": [f"left {step}"]}, of("1"))
    await graph.aupdate_state({"configurable": {**past, "user_id": "alice"}}, {"log": ["right"]})
    await graph.ainvoke({"log": ["on"]}, of("1"))
    expected = (await graph.aget_state(of("1"))).values["log"]
    assert expected == ["one", "right", "on"]

    await delta_saver.aprune(["1"])

    assert (await graph.aget_state(of("1"))).values["log"] == expected
    assert b"left" not in b"".join(blob for (blob,) in rows("SELECT blob FROM checkpoint_writes WHERE channel = 'log'"))


async def test_calls_of_subgraphs_go_with_the_checkpoint_that_they_started_from(
    saver: AgentMemorySaver, rows: Rows
) -> None:
    inner = StateGraph(State)
    inner.add_node("note", lambda state: {"plain": {"inner": True}})
    inner.add_edge(START, "note")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile(checkpointer=True))
    outer.add_node("call", inner.compile())
    outer.add_edge(START, "inner")
    outer.add_edge("inner", "call")
    graph = outer.compile(checkpointer=saver)
    for step in range(3):
        await graph.ainvoke({"notes": [str(step)]}, of("1"))
    assert len(rows("SELECT DISTINCT checkpoint_ns FROM checkpoints")) >= 3

    await saver.aprune(["1"])

    assert rows("SELECT checkpoint_ns, count(*) FROM checkpoints GROUP BY 1 ORDER BY 1") == [("", 1), ("inner", 1)]
    assert (await graph.aget_state(of("1"))).values["notes"] == ["2"]


@pytest.mark.parametrize("strategy", ["delete", "delete_all"])
async def test_pruning_can_delete_everything(saver: AgentMemorySaver, rows: Rows, strategy: str) -> None:
    graph = agent(saver)
    for thread in "123":
        await graph.ainvoke({"notes": ["tea"]}, of(thread))

    await saver.aprune(["1", "2"], strategy=strategy)

    assert [size(rows, thread)[0] for thread in "123"] == [0, 0, 3]
    assert seen(rows) == [("alice", "notes", "3")]


async def test_what_cannot_be_pruned_is_refused(saver: AgentMemorySaver) -> None:
    with pytest.raises(InvalidInputError, match="strategy must be 'keep_latest', 'delete' or 'delete_all', not 'all'"):
        await saver.aprune(["1"], strategy="all")
    with pytest.raises(InvalidInputError, match="thread_ids must be a list of ids, not the string '12'"):
        await saver.aprune("12")
    with pytest.raises(InvalidInputError, match="run_ids must be a list of ids"):
        await saver.adelete_for_runs("12")


async def test_a_run_goes_on_while_its_thread_is_pruned(delta_saver: AgentMemorySaver) -> None:
    graph = agent(delta_saver, Delta)

    async def work() -> None:
        for step in range(20):
            await graph.ainvoke({"log": [str(step)]}, of("1"))

    async def prune() -> None:
        while not working.done():
            await delta_saver.aprune(["1"])

    working = asyncio.create_task(work())
    await asyncio.gather(working, prune())

    assert (await graph.aget_state(of("1"))).values["log"] == [str(step) for step in range(20)]


# LangGraph's own


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

    monkeypatch.setattr(langgraph.checkpoint.postgres, "_DELTA_PAGE_SIZE", 3)
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
    with ProcessPoolExecutor(10, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(_set_up, [empty_dsn] * 10)) == [0] * 10
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT count(*), max(v) FROM checkpoint_migrations").fetchone() == (
            len(PostgresSaver.MIGRATIONS), len(PostgresSaver.MIGRATIONS) - 1
        )  # fmt: skip


# Serializers, connections, loops


class Reversed(CipherProtocol):
    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "reversed", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "reversed"
        return ciphertext[::-1]


async def test_checkpoints_are_encrypted_if_so_asked(dsn: str, rows: Rows) -> None:
    serde = EncryptedSerializer(Reversed())
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, serde=serde) as saver:
        graph = agent(saver)
        await graph.ainvoke({"notes": ["green tea"]}, of("1"))
        assert (await graph.aget_state(of("1"))).values["notes"] == ["green tea"]
        assert await content(saver, "notes") == "- green tea"
    blobs = b"".join(blob for (blob,) in rows("SELECT blob FROM checkpoint_blobs"))
    assert b"green tea" not in blobs
    assert b"green tea"[::-1] in blobs


class Watched(SerializerProtocol):
    """LangGraph's serializer, which notes the threads that it works in."""

    def __init__(self) -> None:
        self._serde = JsonPlusSerializer()
        self.threads = set[int]()

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        self.threads.add(get_ident())
        return self._serde.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        self.threads.add(get_ident())
        return self._serde.loads_typed(data)


async def test_a_serializer_of_ones_own_never_holds_up_the_event_loop(dsn: str) -> None:
    serde = Watched()
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, serde=serde) as saver:
        await agent(saver).ainvoke({"notes": ["tea"]}, of("1"))
        assert (await agent(saver).aget_state(of("1"))).values["notes"] == ["tea"]
        assert [state.values async for state in agent(saver).aget_state_history(of("1"))]
    assert serde.threads
    assert get_ident() not in serde.threads


@pytest.mark.parametrize(("notes", "elsewhere"), [(["tea"], False), (["tea"] * 300, True)])
async def test_only_much_is_serialized_in_a_thread(
    saver: AgentMemorySaver, monkeypatch: pytest.MonkeyPatch, notes: list[str], elsewhere: bool
) -> None:
    threads = dict[str, int]()
    for name in ("dumps_typed", "loads_typed"):
        there = getattr(JsonPlusSerializer, name)

        def noted(self: Any, value: Any, name: str = name, there: Any = there) -> Any:
            threads[name] = get_ident()
            return there(self, value)

        monkeypatch.setattr(JsonPlusSerializer, name, noted)

    values = {**empty_checkpoint(), "channel_values": {"notes": notes}, "channel_versions": {"notes": "1"}}
    stored = await saver.aput(of("1", checkpoint_ns=""), values, {}, {"notes": "1"})
    await saver.aput_writes(stored, [("notes", notes)], "00000000-0000-0000-0000-000000000001")
    assert (threads["dumps_typed"] != get_ident()) == elsewhere

    read = await saver.aget_tuple(of("1"))
    assert read.checkpoint["channel_values"]["notes"] == read.pending_writes[0][2] == notes
    assert threads["loads_typed"] == get_ident()

    for number in range(2, 5 if elsewhere else 2):
        writes = [("notes", "x" * 30_000)]
        await saver.aput_writes(stored, writes, f"00000000-0000-0000-0000-{number:012}")
    assert len((await saver.aget_tuple(of("1"))).pending_writes) == (4 if elsewhere else 1)
    assert (threads["loads_typed"] != get_ident()) == elsewhere


async def test_a_value_that_cannot_be_serialized_stores_nothing(saver: AgentMemorySaver, rows: Rows) -> None:
    checkpoint = {**empty_checkpoint(), "channel_values": {"plain": {"seen": 1}, "odd": {"is": print}}}
    with pytest.raises(TypeError):
        await saver.aput(of("1", checkpoint_ns=""), checkpoint, {}, {"plain": "1", "odd": "1"})
    assert size(rows, "1") == (0, 0, 0)


class Thing(BaseModel):
    name: str


async def test_a_copy_with_an_allowlist_is_the_same_checkpointer_that_reads_more(dsn: str) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, serde=serde) as strict:
        allowed = copy.copy(strict.with_allowlist([(Thing.__module__, "Thing")]))
        await agent(allowed).ainvoke({"notes": ["tea"], "plain": {"thing": Thing(name="cup")}}, of("1"))

        read = [
            next(state.values for state in [s async for s in agent(saver).aget_state_history(of("1"))] if state.next)
            for saver in (allowed, strict)
        ]

        assert [values["plain"]["thing"] for values in read] == [Thing(name="cup"), {"name": "cup"}]
        assert await content(strict, "notes") == "- tea"


async def test_whoever_reads_slowly_keeps_no_connection(dsn: str) -> None:
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, pool_config={"max_size": 1}) as saver:
        graph = agent(saver)
        await graph.ainvoke({"notes": ["tea"]}, of("1"))
        async with asyncio.timeout(30):
            async for state in saver.alist(of("1")):
                await saver.aput_writes(state.config, [("notes", ["x"])], "00000000-0000-0000-0000-000000000001")
        history = saver.alist(None, limit=1)
        assert (await anext(history)).config["configurable"]["thread_id"] == "1"


async def test_after_the_server_has_ended_a_connection_the_next_call_works(saver: AgentMemorySaver, dsn: str) -> None:
    graph = agent(saver)
    await graph.ainvoke({"notes": ["tea"]}, of("1"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await graph.ainvoke({"notes": ["cake"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["notes"] == ["cake"]


async def test_an_outage_is_an_error() -> None:
    settings = AgentMemorySettings(connect_timeout_seconds=1)
    saver = AgentMemorySaver.from_conn_string("postgresql://nobody@127.0.0.1:1/none", settings=settings)
    with pytest.raises(OutageError):
        await saver.aget_tuple(of("1"))  # type: ignore[arg-type]


async def test_sync_methods_do_not_block_a_running_loop(saver: AgentMemorySaver) -> None:
    with pytest.raises(SyncCallError, match=r"await aget_tuple\(\.\.\.\)"):
        saver.get_tuple(of("1"))  # type: ignore[arg-type]
    with pytest.raises(SyncCallError):
        next(saver.list(None))


async def test_a_memory_that_others_opened_stays_open(memory: Any) -> None:
    async with AgentMemorySaver(memory, state_schema=State) as saver:
        await agent(saver).ainvoke({"notes": ["tea"]}, of("1"))
    assert (await memory.aget_active_memories("alice"))[0].sections["notes"].content == "- tea"
