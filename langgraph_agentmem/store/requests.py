"""What a store is asked for, checked and made ready: LangGraph's operations as requests, and results as items."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.item import (
    FoundItem,
    ItemKey,
    ItemSearch,
    Namespace,
    NamespaceListing,
    StoredItem,
)
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.retrieval.item_search import PreparedSearch
from langgraph_agentmem.operations.sections import items, texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.store.options import Options

RESERVED = validation.RESERVED
_SHARED = "memories"
"""The first label of langmem's default namespaces."""
_logger = logging.getLogger(__name__)
_LABELS = {tier: label for label, tier in RESERVED.items()}


class AgentMemoryItem(Item):
    """An item with its revision, which grows by one with every write.

    Examples:
        >>> store.put(("alice", "notes"), "1", {"text": "Call Bo."})
        >>> store.get(("alice", "notes"), "1").revision
        1
    """

    __slots__ = ("revision",)

    def __init__(self, *, revision: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.revision: int = revision


class AgentMemorySearchItem(SearchItem):
    """An item that was found, with its revision, and with what a reranker says of it, if there is one.

    Examples:
        >>> store.put(("alice", "notes"), "1", {"text": "Call Bo."})
        >>> [(item.key, item.revision) for item in store.search(("alice", "notes"), query="call")]
        [('1', 1)]
    """

    __slots__ = ("rerank_score", "revision")

    def __init__(self, *, revision: int, rerank_score: float | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self.revision: int = revision
        self.rerank_score: float | None = rerank_score


@dataclass(frozen=True)
class Get:
    """One item is read.

    Attributes:
        tier: Of a consolidated chunk; None for an item.
    """

    key: ItemKey
    refresh: bool
    tier: Tier | None


@dataclass(frozen=True)
class Search:
    """Items are searched."""

    prepared: PreparedSearch
    refresh: bool


Read = Get | Search | NamespaceListing
Write = SectionWrite | ItemKey
Request = Read | Write


def checked(resources: Resources, options: Options, op: Op) -> Request | ItemSearch:
    """An operation as a request that has only to be embedded.

    Raises:
        InvalidNamespaceError: LangGraph does not allow the namespace, or it is read-only.
        InvalidInputError: An argument cannot be accepted.
    """
    _refuse_no_labels(op)
    validate_op_namespace(op)
    match op:
        case GetOp():
            where = _labels(op.namespace), validation.text(op.key, "key")
            return Get(where, refreshing(op), RESERVED.get(op.namespace[-1]) if op.namespace else None)
        case SearchOp():
            return _search(options, op)
        case ListNamespacesOp():
            return _listing(options, op)
        case PutOp():
            return _delete(op) if op.value is None else put(resources, options, op)


def _refuse_no_labels(op: Op) -> None:
    """Refuse a namespace that is no tuple of labels, e.g. a string, whose letters would be taken for labels."""
    match op:
        case SearchOp():
            given: list[object] = [op.namespace_prefix]
        case ListNamespacesOp():
            given = [condition.path for condition in op.match_conditions or ()]
        case GetOp() | PutOp():
            given = [op.namespace]
        case _:
            raise InvalidInputError(
                "an operation must be a GetOp, PutOp, SearchOp or ListNamespacesOp of langgraph.store.base, "
                f"not {validation.shown(op)}"
            )
    for namespace in given:
        if not isinstance(namespace, tuple | list):
            right = f"({namespace!r},)" if isinstance(namespace, str) else '("alice", "notes")'
            raise InvalidNamespaceError(f"a namespace must be a tuple of labels, e.g. {right}, not {namespace!r}")


def put(resources: Resources, options: Options, op: PutOp) -> SectionWrite:
    """A put, not embedded yet; see `checked`."""
    _refuse_reserved(op.namespace)
    if options.ownership.owner == 0 and len(op.namespace) > 1 and op.namespace[0] == _SHARED:
        _say_shared()
    index = cast("object", op.index)
    fields = options.fields
    # False: nothing of it is searched or consolidated; True and None: as the store is configured
    if index is False:
        fields = list[str]()
    elif not isinstance(index, bool | None):
        fields = texts.checked_fields(index, "index")
    value = dict(op.value) if isinstance(op.value, Mapping) else op.value
    return items.checked(resources, options.ownership, (tuple(op.namespace), op.key), value, fields, op.ttl)


@cache
def _say_shared() -> None:
    _logger.warning(
        "items are put under ('memories', ...), as langmem does by default: with owner=0 all of its users are one "
        "tenant, 'memories'; where the second label names the user, set AGENTMEM_STORE_OWNER=1 (or owner=1)"
    )


def key_of(write: Write) -> ItemKey:
    """What a write is about."""
    return write.key if isinstance(write, SectionWrite) else write


def refreshing(op: Op) -> bool:
    """Whether a read lets items live on."""
    return isinstance(op, GetOp | SearchOp) and bool(op.refresh_ttl)


def result(answer: Any) -> Result:
    """What was read, as LangGraph's items."""
    if isinstance(answer, list):
        return [_as_search_item(item) if isinstance(item, FoundItem) else item for item in cast("list[Any]", answer)]
    return as_item(answer) if isinstance(answer, StoredItem) else answer


def as_item(item: StoredItem) -> AgentMemoryItem:
    """A stored item as LangGraph's."""
    return AgentMemoryItem(
        namespace=item.namespace,
        key=item.key,
        value=item.value,
        created_at=item.created_at,
        updated_at=item.updated_at,
        revision=item.revision,
    )


def _as_search_item(item: FoundItem) -> AgentMemorySearchItem:
    return AgentMemorySearchItem(
        namespace=item.namespace if item.document is None else (*item.namespace, _LABELS[item.value["tier"]]),
        key=item.key,
        value=item.value,
        created_at=item.created_at,
        updated_at=item.updated_at,
        score=item.score,
        revision=item.revision,
        rerank_score=item.rerank_score,
    )


def _search(options: Options, op: SearchOp) -> ItemSearch:
    prefix = tuple(op.namespace_prefix)
    tiers: tuple[Tier, ...] = options.tiers
    # below `@shortterm` or `@longterm`, only that tier is searched
    if prefix and (tier := RESERVED.get(prefix[-1])):
        tiers = (tier,)
        prefix = prefix[:-1]
    query = None if op.query is None else validation.text(op.query, "query", limit=100_000)
    return ItemSearch(
        prefix=_labels(prefix),
        # a blank query has no words and no meaning: items are listed
        query=query if query and query.strip() else None,
        filter=None if op.filter is None else _filter(op.filter),
        tiers=tiers,
        omit_expired=options.omit_expired,
        limit=validation.count(op.limit, "limit"),
        offset=validation.count(op.offset, "offset"),
    )


def _filter(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInputError(f"filter must be a dict such as {{'status': 'open'}}, not {validation.shown(given)}")
    return cast("dict[str, Any]", given)


def _listing(options: Options, op: ListNamespacesOp) -> NamespaceListing:
    conditions = [(condition.match_type, _labels(condition.path)) for condition in op.match_conditions or ()]
    for kind, _ in conditions:
        if kind not in ("prefix", "suffix"):
            raise InvalidInputError(f"match_type must be 'prefix' or 'suffix', not {kind!r}")
    return NamespaceListing(
        conditions=tuple(conditions),
        max_depth=None if op.max_depth is None else validation.positive(op.max_depth, "max_depth"),
        omit_expired=options.omit_expired,
        limit=validation.count(op.limit, "limit"),
        offset=validation.count(op.offset, "offset"),
    )


def _delete(op: PutOp) -> ItemKey:
    _refuse_reserved(op.namespace)
    return _labels(op.namespace), validation.text(op.key, "key")


def _labels(namespace: Sequence[str]) -> Namespace:
    return tuple(validation.text(label, "a label of the namespace") for label in namespace)


def _refuse_reserved(namespace: Namespace) -> None:
    for label in namespace:
        if label in RESERVED:
            raise InvalidNamespaceError(
                f"namespace {namespace} cannot be written: {label!r} stands for what was consolidated"
            )
