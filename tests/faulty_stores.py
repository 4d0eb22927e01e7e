"""Stores with one fault each, and the checks of the conformance suite that find it."""

import asyncio
import json

from exact_store import ExactStore
from langgraph.store.base import PutOp


class Forgets(ExactStore):
    def write(self, op, value, vectors):
        pass


class Merges(ExactStore):
    def write(self, op, value, vectors):
        before = self.data.get((op.namespace, op.key))
        super().write(op, value and {**(before.value if before else {}), **value}, vectors)


class MakesAnew(ExactStore):
    def write(self, op, value, vectors):
        self.data.pop((op.namespace, op.key), None)
        super().write(op, value, vectors)


class TakesPrefixesAsText(ExactStore):
    def below(self, item, op):
        return ".".join(item.namespace).startswith(".".join(op.namespace_prefix))


class TakesLabelsAsPatterns(ExactStore):
    def below(self, item, op):
        alike = [a.replace("_", "X") == b.replace("_", "X") for a, b in zip(item.namespace, op.namespace_prefix)]  # noqa: B905
        return len(item.namespace) >= len(op.namespace_prefix) and all(alike)


class ListsWhatItReads(ExactStore):
    def listed(self, op):
        return [*super().listed(op), *self.read_from]

    async def abatch(self, ops):
        ops = list(ops)
        self.read_from = [*getattr(self, "read_from", []), *[op.namespace for op in ops if hasattr(op, "namespace")]]
        return await super().abatch(ops)


class GroupsResults(ExactStore):
    async def abatch(self, ops):
        ops = sorted(ops, key=lambda op: type(op).__name__)
        return await super().abatch(ops)


class AnswersInFull(ExactStore):
    def found(self, op, query):
        return super().found(op._replace(limit=1000), query)


class RanksByDistance(ExactStore):
    def score(self, item, query):
        similarity = super().score(item, query)
        return None if similarity is None else 1 - similarity


class KeepsVectors(ExactStore):
    def write(self, op, value, vectors):
        before = self.data.get((op.namespace, op.key))
        super().write(op, value, [*vectors, *(before.vectors if before else [])])


class FiltersTheNearest(ExactStore):
    def found(self, op, query):
        nearest = super().found(op._replace(filter=None, limit=op.limit * 4), query)
        return [item for item in nearest if self.matches(item.value, op.filter or {})][: op.limit]


class StartsPagesAnew(ExactStore):
    def found(self, op, query):
        return super().found(op._replace(offset=0) if query else op, query)


class DividesByZero(ExactStore):
    def score(self, item, query):
        zero = query and any(not any(vector) for vector in (*item.vectors, *query))
        return float("nan") if zero else super().score(item, query)


class ComparesText(ExactStore):
    def ordered(self, name, value, operand):
        return super().ordered(name, str(value), str(operand))


class IgnoresOperators(ExactStore):
    def operator(self, name, value, operand):
        try:
            return super().operator(name, value, operand)
        except ValueError:
            return True


class KnowsOnlyOperatorsOfLangGraph(ExactStore):
    def operator(self, name, value, operand):
        if name not in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"):
            raise ValueError(f"Unsupported operator: {name}")
        return super().operator(name, value, operand)


class NeverRefreshes(ExactStore):
    def returned(self, items, refresh):
        return items


class KeepsExpiry(ExactStore):
    def write(self, op, value, vectors):
        before = self.data.get((op.namespace, op.key))
        super().write(op._replace(ttl=before.ttl) if before and op.ttl is None else op, value, vectors)


class ExpiresAtOnce(ExactStore):
    def write(self, op, value, vectors):
        super().write(op if op.ttl is None else op._replace(ttl=int(op.ttl)), value, vectors)


class MakesText(ExactStore):
    def checked(self, value):
        return None if value is None else json.loads(json.dumps(dict(value), default=str))


class KeepsTheCallersDict(ExactStore):
    def checked(self, value):
        super().checked(value)
        return value


class WritesThenChecks(ExactStore):
    def checked(self, value):
        return None if value is None else dict(value)

    def write(self, op, value, vectors):
        super().write(op, value, vectors)
        super().checked(value)


class HidesFailures(ExactStore):
    async def embedded(self, texts):
        try:
            return await super().embedded(texts)
        except RuntimeError:
            return []


class EmbedsUnderALock(ExactStore):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.one_at_a_time = asyncio.Lock()

    async def abatch(self, ops):
        async with self.one_at_a_time:
            return await super().abatch(ops)


class StaysOnOneLoop(ExactStore):
    async def abatch(self, ops):
        loop = asyncio.get_running_loop()
        if getattr(self, "loop", loop) is not loop:
            raise RuntimeError("attached to a different loop")
        self.loop = loop
        return await super().abatch(ops)


class LosesOtherWrites(ExactStore):
    async def abatch(self, ops):
        before = dict(self.data)
        await asyncio.sleep(0)
        ops = list(ops)
        if any(isinstance(op, PutOp) for op in ops):
            self.data.clear()
            self.data.update(before)
        return await super().abatch(ops)


class PutsAnyway(ExactStore):
    async def aput_if(self, namespace, key, value, revision):
        await self.aput(namespace, key, value)


FAULTS = {
    Merges: "put-replaces",
    MakesAnew: "put-keeps-created-at",
    TakesPrefixesAsText: "search-prefix-whole-labels",
    TakesLabelsAsPatterns: "search-prefix-literal",
    ListsWhatItReads: "list-namespaces-only-written list-namespaces-emptied",
    GroupsResults: "batch-results-in-order",
    AnswersInFull: "search-limit query-limit search-pages",
    RanksByDistance: "query-best-first score-in-unit-range",
    KeepsVectors: "overwritten-text-forgotten dropped-field-forgotten shrunk-array-forgotten unindexed-text-forgotten",
    FiltersTheNearest: "limit-filled-despite-filter",
    StartsPagesAnew: "offset-with-query pages-of-equal-scores offset-over-unembedded-items",
    DividesByZero: "wordless-text wordless-query",
    ComparesText: "filter-numeric-order filter-order-other-types filter-by-datetime",
    IgnoresOperators: "filter-unknown-operator",
    NeverRefreshes: "get-refreshes-ttl search-refreshes-ttl refresh-ttl-true",
    KeepsExpiry: "put-without-ttl-stays",
    ExpiresAtOnce: "expired-not-read",
    MakesText: "dates-and-other-objects field-names-of-other-types",
    KeepsTheCallersDict: "later-changes-not-stored",
    WritesThenChecks: "nul-characters",
    HidesFailures: "failing-embedding-alone failing-embedding-writes-nothing failing-query-raises",
    EmbedsUnderALock: "slow-embedding-delays-no-get slow-embedding-delays-no-put slow-query-delays-no-get",
    StaysOnOneLoop: "second-event-loop",
    LosesOtherWrites: "many-puts",
    PutsAnyway: "put-if-absent put-if-unchanged put-if-sees-other-writes put-if-one-winner",
}
