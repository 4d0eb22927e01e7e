"""What integration tests open, each closed after its test."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from chat_server import ChatServer, good, serving
from checkpoint_threads import Delta, State
from consistency import assert_consistent
from fakes import ScriptedModel
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from store_and_memory import names

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings
from langgraph_agentmem.projection import GraphProjector
from langgraph_agentmem.storage.driver import embedded
from langgraph_agentmem.store import AgentMemoryStore


@pytest.fixture
def consistent_afterwards(dsn: str) -> Iterator[None]:
    """When everything else is closed, what the database counts is what it holds."""
    yield
    assert_consistent(dsn)


@pytest.fixture
async def opened_stores(dsn: str) -> AsyncIterator[Callable[..., AgentMemoryStore]]:
    """Opens stores on the test's database, with arguments and settings."""
    stores: list[AgentMemoryStore] = []

    def make(*, settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemoryStore:
        chosen = AgentMemorySettings(**(settings or {}))
        stores.append(AgentMemoryStore.from_conn_string(dsn, settings=chosen, **arguments))
        return stores[-1]

    yield make
    for store in stores:
        await store.aclose()


@pytest.fixture
def opens(opened_stores: Callable[..., AgentMemoryStore]) -> Callable[..., AgentMemoryStore]:
    """Callable[..., AgentMemoryStore] stores that take words as they are."""

    def make(*, settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemoryStore:
        return opened_stores(settings={"text_search_config": "simple", **(settings or {})}, **arguments)

    return make


@pytest.fixture
async def opened_savers(dsn: str) -> AsyncIterator[Callable[..., AgentMemorySaver]]:
    """Opens checkpointers on the test's database, with arguments and settings."""
    savers: list[AgentMemorySaver] = []

    def make(*, settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemorySaver:
        chosen = AgentMemorySettings(**(settings or {}))
        savers.append(AgentMemorySaver.from_conn_string(dsn, settings=chosen, **arguments))
        return savers[-1]

    yield make
    for saver in savers:
        await saver.aclose()


@pytest.fixture
async def saver(dsn: str) -> AsyncIterator[AgentMemorySaver]:
    """A checkpointer of threads with notes."""
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        yield saver


@pytest.fixture
async def delta_saver(dsn: str) -> AsyncIterator[AgentMemorySaver]:
    """A checkpointer of threads with a delta channel."""
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=Delta) as saver:
        yield saver


@pytest.fixture
def store(memory: AgentMemory) -> AgentMemoryStore:
    """A store over a memory without model and embedder."""
    return AgentMemoryStore(memory)


@pytest.fixture
def projector(memory: AgentMemory) -> GraphProjector:
    """What keeps the Neo4j of the test's memory up to date."""
    return memory.projector


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    """A server of a chat model that finds Ada in everything."""
    with serving(good) as server:
        yield server


@pytest.fixture
def modelled(opened: Callable[..., AgentMemory]) -> AgentMemory:
    """A memory whose model finds names."""
    return opened(model=ScriptedModel(answer=names))


@pytest.fixture(scope="module")
def strict_dsn(shared_folder: Path) -> Iterator[str]:
    """A server of its own that asks the role `guest` for a password."""
    folder = shared_folder / uuid4().hex
    dsn = embedded.start(folder)
    rules = folder / "pg_hba.conf"
    rules.write_text("local all guest scram-sha-256\n" + rules.read_text())
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
        connection.execute("SELECT pg_reload_conf()")
    yield dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'")


@pytest.fixture(scope="session")
def reported() -> SimpleNamespace:
    """What the process reports, of all its tests: providers can be set once."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return SimpleNamespace(spans=spans, reader=reader)


@pytest.fixture
def otel(reported: SimpleNamespace) -> SimpleNamespace:
    reported.spans.clear()
    return reported
