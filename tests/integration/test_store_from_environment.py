"""A store that is configured by the environment, as a LangGraph server's is, or by settings."""

from collections.abc import Callable

import pytest

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.langgraph_server import make_store

Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def _environment(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "AGENTMEM_DSN": dsn,
        "AGENTMEM_STORE_OWNER": "1",
        "AGENTMEM_STORE_DEFAULT_TENANT": "everybody",
        "AGENTMEM_STORE_TIERS": "active,shortterm",
        "AGENTMEM_STORE_FIELDS": "text",
        "AGENTMEM_STORE_TTL_MINUTES": "60",
        "AGENTMEM_STORE_TTL_REFRESH_ON_READ": "false",
        "AGENTMEM_STORE_TTL_OMIT_EXPIRED": "true",
        "AGENTMEM_STORE_TTL_SWEEP_MINUTES": "10",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_environment")
async def test_a_servers_store_is_configured_by_the_environment(memory: AgentMemory, rows: Rows) -> None:
    async with make_store() as store:
        await store.aput(("memories", "alice"), "tea", {"text": "Alice likes green tea.", "by": "the agent"})
        await store.aput(("faq",), "tea", {"text": "Tea is served at five."}, ttl=None)
        await memory.queue.aflush("alice")
        await store.aput(("memories", "alice"), "tea", {"text": "Alice likes coffee."})
        found = await store.asearch(("memories", "alice"), query="green tea")

    assert rows("SELECT external_id, section_id, ttl_minutes FROM agentmem.section ORDER BY 1") == [
        ("alice", "tea", 60.0),
        ("everybody", "tea", None),
    ]
    assert found[0].value["content"] == "Alice likes green tea."  # of the short-term tier, without "the agent"
    assert store.ttl_config == {
        "default_ttl": 60.0,
        "refresh_on_read": False,
        "omit_expired": True,
        "sweep_interval_minutes": 10.0,
    }


@pytest.mark.usefixtures("_environment")
async def test_arguments_prevail_over_settings() -> None:
    store = AgentMemoryStore.from_conn_string(
        owner=0, default_tenant="nobody", tiers=["active"], index=None, ttl={"default_ttl": 5}
    )
    async with store:
        await store.aput(("alice", "memories"), "tea", {"text": "Alice likes green tea."})
        await store.memory.queue.aflush("alice")
        await store.aput(("alice", "memories"), "tea", {"text": "Alice likes coffee."})
        assert [memory.title for memory in await store.memory.aget_active_memories("alice")] == ["memories"]
        assert [item.key for item in await store.asearch(("alice",), query="green tea")] == ["tea"]
    assert store.ttl_config == {"default_ttl": 5}


async def test_a_store_of_an_open_memory_takes_the_memorys_settings(opened: Callable[..., AgentMemory]) -> None:
    store = AgentMemoryStore(opened(settings={"store_owner": 1}))

    await store.aput(("memories", "alice"), "tea", {"text": "Alice likes green tea."})

    assert [memory.title for memory in await store.memory.aget_active_memories("alice")] == ["memories"]


def test_by_default_nothing_expires() -> None:
    assert AgentMemoryStore(AgentMemory.open("postgresql://nowhere", settings=AgentMemorySettings())).ttl_config is None


async def test_a_servers_settings_are_checked_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_STORE_TIERS", "active,middleterm")
    with pytest.raises(ConfigurationError, match=r"AGENTMEM_STORE_TIERS.*'middleterm'"):
        async with make_store():
            pass
