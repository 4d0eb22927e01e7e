"""Checkpoints keep what their serializer makes of them, without holding up the loop or a connection."""

import asyncio
import copy
from collections.abc import Callable
from threading import get_ident
from typing import Any, ClassVar, TypedDict

import psycopg
import pytest
from checkpoint_threads import State, agent, content, of, size
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from langgraph_agentmem import AgentMemorySaver, AgentMemorySettings
from langgraph_agentmem.errors import ConfigurationError, OutageError, SyncCallError
from langgraph_agentmem.langgraph_server import make_checkpointer

Rows = Callable[..., list[tuple[object, ...]]]


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


class Short(TypedDict):
    """Values that LangGraph keeps in a checkpoint's row itself."""

    text: str
    number: int
    share: float


LANGGRAPHS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


async def test_short_values_are_encrypted_too(dsn: str, rows: Rows) -> None:
    """LangGraph's own checkpointers leave texts and numbers in the checkpoint's row as they are."""

    def grown(state: Short) -> dict[str, Any]:
        return {"text": f"{state['text']} tea", "number": 4711, "share": 0.815}

    def untouched(state: Short) -> dict[str, Any]:
        return {"share": 0.8155}

    def graph(saver: AgentMemorySaver) -> Any:
        built = StateGraph(Short).add_node("grown", grown).add_node("untouched", untouched)
        return built.add_edge(START, "grown").add_edge("grown", "untouched").compile(checkpointer=saver)

    async with AgentMemorySaver.from_conn_string(dsn, serde=EncryptedSerializer(Reversed())) as saver:
        await graph(saver).ainvoke({"text": "green", "number": 4711, "share": 0.0}, of("1"))
        states = [state.values async for state in graph(saver).aget_state_history(of("1"))]
        await saver.acopy_thread("1", "2")
        copied = (await graph(saver).aget_state(of("2"))).values

    assert states[0] == copied == {"text": "green tea", "number": 4711, "share": 0.8155}
    assert {"text": "green", "number": 4711, "share": 0.0} in states
    stored = "\n".join(str(row) for table in LANGGRAPHS for row in rows(f"SELECT * FROM {table}"))
    assert all(value not in stored for value in ("green", "4711", "0.815"))


async def test_a_thread_that_was_begun_without_encryption_goes_on_with_it(dsn: str, rows: Rows) -> None:
    def kept(state: Short) -> dict[str, Any]:
        return {"number": state["number"] + 1}

    built = StateGraph(Short).add_node("kept", kept).add_edge(START, "kept")
    async with AgentMemorySaver.from_conn_string(dsn) as plain:
        await built.compile(checkpointer=plain).ainvoke({"text": "green", "number": 1, "share": 0.5}, of("1"))
    async with AgentMemorySaver.from_conn_string(dsn, serde=EncryptedSerializer(Reversed())) as saver:
        graph = built.compile(checkpointer=saver)
        await graph.ainvoke({"number": 4710}, of("1"))
        state = (await graph.aget_state(of("1"))).values

    assert state == {"text": "green", "number": 4711, "share": 0.5}
    [(latest,)] = rows("SELECT checkpoint::text FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1")
    assert "green" not in latest


async def test_the_key_of_a_langgraph_server_encrypts_its_checkpoints(
    dsn: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", dsn)
    monkeypatch.setenv("LANGGRAPH_AES_KEY", "sixteen letters.")
    built = StateGraph(Short).add_node("kept", lambda state: {"number": 4711}).add_edge(START, "kept")

    async with make_checkpointer() as saver:
        graph = built.compile(checkpointer=saver)
        await graph.ainvoke({"text": "green"}, of("1"))
        assert (await graph.aget_state(of("1"))).values == {"text": "green", "number": 4711}

    stored = "\n".join(str(row) for table in LANGGRAPHS for row in rows(f"SELECT * FROM {table}"))
    assert "green" not in stored
    assert "+aes" in stored


async def test_a_key_that_is_none_is_an_error_and_no_plain_text(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", dsn)
    monkeypatch.setenv("LANGGRAPH_AES_KEY", "short")
    with pytest.raises(ConfigurationError, match=r"asks for encrypted checkpoints.*16, 24, or 32 bytes"):
        async with make_checkpointer():
            pass


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


class Noting(BaseModel):
    """Notes the threads in which it is made, dumped and loaded."""

    threads: ClassVar[dict[str, int]] = {}

    def model_dump(self, **options: Any) -> dict[str, Any]:
        self.threads["dumped"] = get_ident()
        return super().model_dump(**options)

    def model_post_init(self, context: Any, /) -> None:
        self.threads["loaded"] = get_ident()


@pytest.mark.parametrize(("notes", "elsewhere"), [(["tea"], False), (["tea"] * 300, True)])
async def test_only_much_is_serialized_in_a_thread(
    opened_savers: Callable[..., AgentMemorySaver], notes: list[str], elsewhere: bool
) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[(Noting.__module__, "Noting")])
    saver, threads = opened_savers(state_schema=State, serde=serde), Noting.threads
    noting = [*notes, Noting()]
    values = {**empty_checkpoint(), "channel_values": {"plain": noting}, "channel_versions": {"plain": "1"}}
    stored = await saver.aput(of("1", checkpoint_ns=""), values, {}, {"plain": "1"})
    assert (threads.pop("dumped") != get_ident()) == elsewhere
    await saver.aput_writes(stored, [("plain", noting)], "00000000-0000-0000-0000-000000000001")
    assert (threads.pop("dumped") != get_ident()) == elsewhere

    threads.clear()
    read = await saver.aget_tuple(of("1"))
    assert read.checkpoint["channel_values"]["plain"] == read.pending_writes[0][2] == noting
    assert threads.pop("loaded") == get_ident()

    for number in range(2, 5 if elsewhere else 2):
        writes = [("notes", "x" * 30_000)]
        await saver.aput_writes(stored, writes, f"00000000-0000-0000-0000-{number:012}")
    assert len((await saver.aget_tuple(of("1"))).pending_writes) == (4 if elsewhere else 1)
    assert (threads.pop("loaded") != get_ident()) == elsewhere


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
