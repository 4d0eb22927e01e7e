"""Searches all tiers."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast, get_args

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.graph import NamedMention
from langgraph_agentmem.models.search import ArmScores, SearchHit
from langgraph_agentmem.operations.retrieval import asking, reranking
from langgraph_agentmem.operations.retrieval.asking import Asked
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import ranking, validation
from langgraph_agentmem.projection.graph import PostgresGraph
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import search as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, DictRow
from langgraph_agentmem.storage.sections import UnchunkedMemory

_MIN_CANDIDATES = 20
_LONGEST_QUERY = 100_000


async def search(
    resources: Resources,
    external_id: object,
    query: object,
    *,
    tiers: Sequence[Tier] | None = None,
    memory_ids: Sequence[int] | None = None,
    limit: int = 10,
    as_of: datetime | None = None,
    now: datetime | None = None,
) -> list[SearchHit]:
    """See `AgentMemory.asearch`."""
    tenant = validation.tenant(external_id)
    text = validation.text(query, "query", limit=_LONGEST_QUERY)
    count = validation.positive(limit, "limit")
    chosen = _tiers(tiers)
    for name, moment in (("as_of", as_of), ("now", now)):
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInputError(f"{name} must be a datetime with a time zone, not {moment!r}")
    memories = _memory_ids(memory_ids)
    if not text.strip():
        raise InvalidInputError("query must not be empty")
    question = await asking.asked(resources, tenant, text, now or as_of)
    named = await _named(resources, tenant, question)

    async def send(connection: Connection) -> tuple[Deferred[list[DictRow]], Deferred[list[UnchunkedMemory]]]:
        unchunked = await storage.set_up(connection, [tenant], memories)
        compared = await asking.compared(resources, connection, tenant, question)
        rows = await storage.send_hits(
            connection,
            tenant,
            compared,
            tiers=chosen,
            memory_ids=memories,
            as_of=as_of,
            # more than are asked for: hits of which the rules could not tell which holds are ordered afterwards
            limit=max(_MIN_CANDIDATES, 2 * count, reranking.wanted(resources, count)),
            named=named,
        )
        return rows, unchunked

    rows = await freshness.read(resources, tenant, send)
    # the same for all rows
    weights = ranking.weights(rows[0]) if rows else {}
    found = ranking.ranked([_hit(row, weights) for row in rows], reranking.wanted(resources, count), resources.reader)
    reranked = await reranking.reranked(resources, text, found, lambda hit: hit.content)
    return ranking.newer_first(reranked)[:count]


async def _named(resources: Resources, external_id: str, asked: Asked) -> list[NamedMention] | None:
    """The entities that a question names, from another graph database; PostgreSQL's search finds them by itself."""
    if isinstance(resources.graph, PostgresGraph) or asked.question is None:
        return None
    return await resources.graph.anamed(external_id, [word.text for word in asked.question.words])


def _tiers(tiers: Sequence[Tier] | None) -> list[Tier] | None:
    if tiers is None:
        return None
    known = get_args(Tier)
    if not isinstance(cast("object", tiers), list | tuple) or not tiers or any(tier not in known for tier in tiers):
        raise InvalidInputError(f"tiers must be a non-empty list of {', '.join(map(repr, known))}, not {tiers!r}")
    return list(tiers)


def _memory_ids(memory_ids: Sequence[int] | None) -> list[int] | None:
    if memory_ids is None:
        return None
    if not isinstance(cast("object", memory_ids), list | tuple | set | frozenset):
        raise InvalidInputError(f"memory_ids must be a list of memory ids, not {memory_ids!r}")
    return [validation.identifier(id, "an id of memory_ids") for id in memory_ids]


def _hit(row: DictRow, weights: dict[str, float]) -> SearchHit:
    arms = ArmScores(**{arm: row[arm] for arm in ArmScores.model_fields})
    fields = {**row, "arms": arms, "weights": weights, "score": round(row["score"], 6)}
    return SearchHit.model_validate(fields)
