"""A store that sync code uses removes what expires, however it was opened."""

import time
from collections.abc import Callable

import pytest

from langgraph_agentmem import AgentMemoryStore

Rows = Callable[..., list[tuple[object, ...]]]
OFTEN = {"default_ttl": 0.001, "sweep_interval_minutes": 0.001}


def by_with(store: AgentMemoryStore) -> None:
    store.__enter__()


def by_setup(store: AgentMemoryStore) -> None:
    store.setup()


def by_its_sweeper(store: AgentMemoryStore) -> None:
    store.start_ttl_sweeper(0.001)


def by_nothing(store: AgentMemoryStore) -> None:
    """The first operation opens it."""


@pytest.mark.parametrize("opened", [by_with, by_setup, by_its_sweeper, by_nothing])
def test_what_expires_is_removed(dsn: str, rows: Rows, opened: Callable[[AgentMemoryStore], None]) -> None:
    store = AgentMemoryStore.from_conn_string(dsn, ttl=OFTEN)
    opened(store)
    store.put(("alice", "notes"), "tea", {"text": "Alice likes green tea."})
    store.put(("alice", "notes"), "seat", {"text": "By the window."}, ttl=None)

    while rows("SELECT section_id FROM agentmem.section WHERE section_id = 'tea'"):
        time.sleep(0.01)

    assert [item.key for item in store.search(("alice",))] == ["seat"]
    assert store.stop_ttl_sweeper()
    store.close()
