"""A store in memory that does all that the conformance suite asks for, so that there is one which passes it.

It scans everything and is for tests only. Its parts are methods, so that a test can break one of them.
"""

import asyncio
import json
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from operator import mul
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
    ensure_embeddings,
    get_text_at_path,
    validate_op_namespace,
)

Place = tuple[tuple[str, ...], str]


class StaleRevision(Exception):
    """Somebody else wrote the item."""


class ExactItem(SearchItem):
    """An item with its revision, and what the store needs to know about it."""

    __slots__ = ("expires_at", "revision", "ttl", "vectors")

    def seen(self, score: float | None = None) -> "ExactItem":
        """A copy for a caller."""
        copy = ExactItem(self.namespace, self.key, deepcopy(self.value), self.created_at, self.updated_at, score)
        copy.revision = self.revision
        return copy


class ExactStore(BaseStore):
    """All of it in a dict that stores may share."""

    supports_ttl = True

    def __init__(self, data: dict[Place, ExactItem], index: Any = None, ttl: Any = None) -> None:
        self.data = data
        self.ttl_config = ttl
        self.fields = (index.get("fields") or ["$"]) if index else []
        self.embeddings = ensure_embeddings(index["embed"]) if index else None
        self.dims = index["dims"] if index else 0
        self.lock = threading.RLock()

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        return asyncio.run(self.abatch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        ops = list(ops)
        for op in ops:
            validate_op_namespace(op)
        puts = [op for op in ops if isinstance(op, PutOp)]
        values = [self.checked(op.value) for op in puts]
        vectors = [await self.embedded(self.texts(op, value)) for op, value in zip(puts, values, strict=True)]
        queries = [await self.embedded([op.query] if isinstance(op, SearchOp) and op.query else []) for op in ops]
        with self.lock:
            results = [self.read(op, query) for op, query in zip(ops, queries, strict=True)]
            for op, value, found in zip(puts, values, vectors, strict=True):
                self.write(op, value, found)
        return results

    async def aput_if(self, namespace: tuple[str, ...], key: str, value: dict[str, Any], revision: int) -> None:
        await asyncio.sleep(0)
        with self.lock:
            item = self.data.get((namespace, key))
            if (item.revision if item else 0) != revision:
                raise StaleRevision(f"{key!r} is not at revision {revision}")
            self.write(PutOp(namespace, key, value), self.checked(value), [])

    async def embedded(self, texts: list[str]) -> list[list[float]]:
        if not texts or not self.embeddings:
            return []
        vectors = await self.embeddings.aembed_documents(texts)
        if len(vectors) != len(texts) or not all(len(v) == self.dims and math.isfinite(sum(v)) for v in vectors):
            raise ValueError("the embedder returns what is no vector for each text")
        return vectors

    def texts(self, op: PutOp, value: dict[str, Any] | None) -> list[str]:
        paths = self.fields if op.index is None else op.index or []
        return [] if value is None else [text for path in paths for text in get_text_at_path(value, path)]

    def checked(self, value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise TypeError(f"a value is a mapping, not {value!r}")
        refuse(dict(value), "value")
        return json.loads(json.dumps(dict(value)))

    def read(self, op: Op, query: list[list[float]]) -> Any:
        match op:
            case GetOp():
                item = self.alive(self.data.get((op.namespace, str(op.key))))
                return self.returned([item], op.refresh_ttl)[0].seen() if item else None
            case SearchOp():
                return self.found(op, query)
            case ListNamespacesOp():
                return self.listed(op)
        return None

    def alive(self, item: ExactItem | None) -> ExactItem | None:
        return None if item is None or (item.expires_at and item.expires_at <= datetime.now(UTC)) else item

    def returned(self, items: list[ExactItem], refresh: bool) -> list[ExactItem]:
        for item in items:
            if refresh and item.ttl is not None:
                item.expires_at = datetime.now(UTC) + timedelta(minutes=item.ttl)
        return items

    def found(self, op: SearchOp, query: list[list[float]]) -> list[ExactItem]:
        items = [item for item in list(self.data.values()) if self.alive(item) and self.below(item, op)]
        items = [item for item in items if self.matches(item.value, op.filter or {})]
        scored = [(self.score(item, query), item) for item in items]
        scored.sort(key=lambda pair: (pair[0] is None, -(pair[0] or 0.0), pair[1].namespace, pair[1].key))
        scored = scored[op.offset : op.offset + op.limit]
        self.returned([item for _, item in scored], op.refresh_ttl)
        return [item.seen(score) for score, item in scored]

    def below(self, item: ExactItem, op: SearchOp) -> bool:
        return item.namespace[: len(op.namespace_prefix)] == op.namespace_prefix

    def score(self, item: ExactItem, query: list[list[float]]) -> float | None:
        return max((cosine(vector, query[0]) for vector in item.vectors), default=None) if query else None

    def listed(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        namespaces = {item.namespace for item in self.data.values() if self.alive(item)}
        for condition in op.match_conditions or ():
            namespaces = {namespace for namespace in namespaces if fits(namespace, condition)}
        return sorted({namespace[: op.max_depth] for namespace in namespaces})[op.offset : op.offset + op.limit]

    def write(self, op: PutOp, value: dict[str, Any] | None, vectors: list[list[float]]) -> None:
        place, now = (tuple(op.namespace), str(op.key)), datetime.now(UTC)
        before = self.alive(self.data.get(place))
        if value is None:
            self.data.pop(place, None)
            return
        item = ExactItem(*place, value, before.created_at if before else now, now)
        item.revision = (before.revision if before else 0) + 1
        item.ttl = op.ttl
        item.expires_at = None if op.ttl is None else now + timedelta(minutes=op.ttl)
        item.vectors = vectors
        self.data[place] = item

    def matches(self, value: Any, wanted: dict[str, Any]) -> bool:
        return all(self.holds(value, name, condition) for name, condition in wanted.items())

    def holds(self, value: dict[str, Any], name: str, condition: Any) -> bool:
        match name:
            case "$and":
                return all(self.matches(value, part) for part in condition)
            case "$or":
                return any(self.matches(value, part) for part in condition)
            case "$not":
                return not self.matches(value, condition)
        return any(self.fits(candidate, condition) for candidate in at_path(value, name))

    def fits(self, value: Any, condition: Any) -> bool:
        if not isinstance(condition, dict):
            return equal(value, condition) if value not in (None, ...) else condition is None
        if any(name.startswith("$") for name in condition):
            return all(self.operator(name, value, operand) for name, operand in condition.items())
        return isinstance(value, dict) and self.matches(value, condition)

    def operator(self, name: str, value: Any, operand: Any) -> bool:
        match name:
            case "$eq":
                return self.fits(value, operand) if operand is None else equal(value, operand)
            case "$ne":
                return not self.operator("$eq", value, operand)
            case "$in":
                return any(equal(value, each) for each in operand)
            case "$nin":
                return not self.operator("$in", value, operand)
            case "$exists":
                return (value is not ...) == operand
            case "$contains":
                return isinstance(value, list) and any(equal(each, operand) for each in value)
            case "$gt" | "$gte" | "$lt" | "$lte":
                return self.ordered(name, *comparable(value, operand))
        raise ValueError(f"there is no operator {name!r}")

    def ordered(self, name: str, value: Any, operand: Any) -> bool:
        if value is None:
            return False
        return {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[
            name
        ]


def refuse(value: Any, path: str) -> None:
    """Refuse what JSON in a database cannot hold."""
    if isinstance(value, dict):
        for name, part in value.items():
            if not isinstance(name, str):
                raise TypeError(f"the field name {name!r} in {path} is no string")
            refuse(name, path)
            refuse(part, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            refuse(part, f"{path}[{place}]")
    else:
        refuse_part(value, path)


def refuse_part(value: Any, path: str) -> None:
    match value:
        case str():
            value.encode()
            if "\0" in value:
                raise ValueError(f"{path} has a NUL character")
        case float() if not math.isfinite(value):
            raise ValueError(f"{path} is {value}")
        case bool() | int() | float() | None:
            pass
        case _:
            raise TypeError(f"{path} is a {type(value).__name__}")


def at_path(value: dict[str, Any], name: str) -> Iterator[Any]:
    """The field of a name, and what the name leads to as a path; `...` where there is nothing."""
    if name in value or "." not in name:
        yield value.get(name, ...)
    else:
        found: Any = value
        for part in name.split("."):
            found = found.get(part, ...) if isinstance(found, dict) else ...
        yield found


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; true is not 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def comparable(value: Any, operand: Any) -> tuple[Any, Any]:
    """Both as something that has an order, or None for what does not compare."""
    if isinstance(operand, datetime) and isinstance(value, str):
        try:
            return datetime.fromisoformat(value), operand
        except ValueError:
            return None, None
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (value, operand))
    texts = isinstance(value, str) and isinstance(operand, str)
    return (value, operand) if numbers or texts else (None, None)


def fits(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = condition.path
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return len(part) == len(path) and all(label in ("*", found) for label, found in zip(path, part, strict=True))


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(map(mul, one, other)) / lengths if lengths else 0.0


class Exact:
    """Opens such stores, or a subclass of them."""

    def __init__(self, kind: type[ExactStore] = ExactStore, data: dict[Place, ExactItem] | None = None) -> None:
        self.kind = kind
        self.data = data

    @asynccontextmanager
    async def __call__(self, *, index: Any = None, ttl: Any = None):
        yield self.kind({} if self.data is None else self.data, index, ttl)

    def shared(self) -> "Exact":
        return Exact(self.kind, {})
