"""What stands in a store, and which of its backends end."""

from collections.abc import Callable
from typing import Any

from langgraph.store.base import GetOp, PutOp, SearchOp

from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
NS = ("alice", "notes")


def contents(rows: Rows) -> dict[str, int]:
    return dict(rows("SELECT section_id, revision FROM agentmem.section"))


def kill_backends(rows: Rows) -> int:
    """End all other connections of the database, wait until they have gone, and count them."""
    sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return len(rows(sql))


CALLS: dict[str, Callable[[AgentMemoryStore], Any]] = {
    "get": lambda store: store.aget(NS, "k"),
    "put": lambda store: store.aput(NS, "k", {"text": "an owl"}),
    "search": lambda store: store.asearch(NS, query="falcon"),
    "list": lambda store: store.asearch(NS),
    "namespaces": lambda store: store.alist_namespaces(),
    "batch": lambda store: store.abatch(
        [GetOp(NS, "k"), PutOp(NS, "k", {"text": "an owl"}), SearchOp((), query="owl")]
    ),
    "put_if": lambda store: store.aput_if(NS, "k", {"text": "an owl"}, 1),
    "delete": lambda store: store.adelete(NS, "k"),
    "sweep": lambda store: store.asweep_ttl(),
}
