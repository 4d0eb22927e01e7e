"""A namespace is a tuple of labels; a string is not taken for its letters."""

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from langgraph_agentmem import AgentMemoryStore

store = AgentMemoryStore.from_conn_string("postgresql://127.0.0.1:1/nowhere")
CALLS: dict[str, Callable[[Any], object]] = {
    "put": lambda namespace: store.put(namespace, "1", {"text": "a fox"}),
    "get": lambda namespace: store.get(namespace, "1"),
    "search": lambda namespace: store.search(namespace, query="fox"),
    "delete": lambda namespace: store.delete(namespace, "1"),
    "put_if": lambda namespace: store.put_if(namespace, "1", {"text": "a fox"}, 0),
    "a put of a batch": lambda namespace: store.batch([PutOp(namespace, "1", {})]),
    "a get of a batch": lambda namespace: store.batch([GetOp(namespace, "1")]),
    "a search of a batch": lambda namespace: store.batch([SearchOp(namespace)]),
    "namespaces of a batch": lambda namespace: store.batch(
        [ListNamespacesOp(match_conditions=(MatchCondition("prefix", namespace),))]
    ),
    "namespaces": lambda namespace: store.list_namespaces(prefix=namespace),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("namespace", ["alice", b"alice", "a"])
def test_a_string_is_refused(call: str, namespace: Any) -> None:
    with pytest.raises(InvalidNamespaceError, match=r"tuple of labels, e\.g\. \(|must be strings"):
        CALLS[call](namespace)


@pytest.mark.parametrize("call", [name for name in CALLS if "batch" in name])
@pytest.mark.parametrize(
    "namespace", [None, 7, {"alice": 1}, {"alice"}, iter(["alice"])], ids=lambda given: type(given).__name__
)
def test_what_has_no_order_of_labels_is_refused_in_batches(call: str, namespace: Any) -> None:
    with pytest.raises(InvalidNamespaceError, match="tuple of labels"):
        CALLS[call](namespace)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("label", [b"notes", 7, None, ("notes",), ""], ids=repr)
def test_a_label_that_is_no_text_is_refused(call: str, label: Any) -> None:
    with pytest.raises(InvalidNamespaceError, match="label"):
        CALLS[call](("alice", label))
