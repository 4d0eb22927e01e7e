"""Searches all tiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast, get_args

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.graph import NamedMention
from langgraph_agentmem.models.search import ArmScores, SearchHit
from langgraph_agentmem.operations.retrieval import asking, reranking
from langgraph_agentmem.operations.retrieval.asking import Asked
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import ranking, validation
from langgraph_agentmem.policies.asking import WeighedQuestion
from langgraph_agentmem.policies.words import Reader
from langgraph_agentmem.projection.graph import PostgresGraph
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import search as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, DictRow
from langgraph_agentmem.storage.sections import UnchunkedMemory

_MIN_CANDIDATES = 20
_LONGEST_QUERY = 100_000


@dataclass(frozen=True)
class HitSearch:
    """A search whose arguments are checked and whose question is ready.

    Attributes:
        text: The question.
        limit: The most hits.
        named: The entities that it names, as another graph database found them.
        reader: Who asks for what the tenant has granted to them; None for the tenant itself.
    """

    tenant: str
    text: str
    limit: int
    tiers: list[Tier] | None
    memory_ids: list[int] | None
    as_of: datetime | None
    asked: Asked
    named: list[NamedMention] | None
    reader: str | None = None


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
    wanted = await prepared(
        resources, external_id, query, tiers=tiers, memory_ids=memory_ids, limit=limit, as_of=as_of, now=now
    )
    rows = await freshness.read(resources, wanted.tenant, partial(send, resources, wanted))
    return await hits(resources, wanted, rows)


async def prepared(
    resources: Resources,
    external_id: object,
    query: object,
    *,
    tiers: Sequence[Tier] | None = None,
    memory_ids: Sequence[int] | None = None,
    limit: int = 10,
    as_of: datetime | None = None,
    now: datetime | None = None,
    reader: str | None = None,
) -> HitSearch:
    """A search that is ready to be sent.

    For a reader, the tenant is not asked how frequent its words are, and what its entities are called: that is granted
    to nobody.

    Raises:
        InvalidInputError: An argument cannot be accepted.
        EmbeddingError: The query cannot be embedded.
    """
    tenant = validation.tenant(external_id)
    text = validation.text(query, "query", limit=_LONGEST_QUERY)
    count = validation.positive(limit, "limit")
    chosen = checked_tiers(tiers)
    validation.moments(as_of=as_of, now=now)
    memories = checked_memory_ids(memory_ids)
    if not text.strip():
        raise InvalidInputError("query must not be empty")
    asked = await asking.asked(resources, tenant if reader is None else None, text, now or as_of)
    named = await _named(resources, tenant, asked) if reader is None else []
    return HitSearch(tenant, text, count, chosen, memories, as_of, asked, named, reader)


async def send(
    resources: Resources, wanted: HitSearch, connection: Connection
) -> tuple[Deferred[list[DictRow]], Deferred[list[UnchunkedMemory]]]:
    """Ask for the chunks that a search finds, and for the memories that need chunking, as `freshness.read` wants it."""
    unchunked = await storage.set_up(connection, [wanted.tenant], wanted.memory_ids)
    granted = None if wanted.reader is None else wanted.memory_ids
    compared = await asking.compared(resources, connection, wanted.tenant, wanted.asked, granted)
    rows = await storage.send_hits(
        connection,
        wanted.tenant,
        compared,
        tiers=wanted.tiers,
        memory_ids=wanted.memory_ids,
        as_of=wanted.as_of,
        # more than are asked for: hits of which the rules could not tell which holds are ordered afterwards
        limit=max(_MIN_CANDIDATES, 2 * wanted.limit, reranking.wanted(resources, wanted.limit)),
        named=_telling(wanted.named, compared.question, resources.reader),
        reader=wanted.reader,
    )
    return rows, unchunked


async def hits(resources: Resources, wanted: HitSearch, rows: list[DictRow]) -> list[SearchHit]:
    """The hits of a search, in their order."""
    # the same for all rows
    weights = ranking.weights(rows[0]) if rows else {}
    best = reranking.wanted(resources, wanted.limit)
    found = ranking.ranked([_hit(row, weights) for row in rows], best, resources.reader)
    reranked = await reranking.reranked(resources, wanted.text, found, lambda hit: hit.content)
    return ranking.newer_first(reranked)[: wanted.limit]


async def _named(resources: Resources, external_id: str, asked: Asked) -> list[NamedMention] | None:
    """The entities that a question names, from another graph database; PostgreSQL's search finds them by itself."""
    if isinstance(resources.graph, PostgresGraph) or asked.question is None:
        return None
    return await resources.graph.anamed(external_id, [word.text for word in asked.question.words])


def _telling(
    named: list[NamedMention] | None, question: WeighedQuestion | None, reader: Reader
) -> list[NamedMention] | None:
    """Those of the entities that tell something apart, as PostgreSQL's search looks for them by itself."""
    if named is None or question is None:
        return named
    telling = set(question.telling)
    return [mention for mention in named if any(word.text in telling for word in reader.words(mention.name_key))]


def checked_tiers(tiers: Sequence[Tier] | None) -> list[Tier] | None:
    """The tiers to search; all if None."""
    if tiers is None:
        return None
    known = get_args(Tier)
    if not isinstance(cast("object", tiers), list | tuple) or not tiers or any(tier not in known for tier in tiers):
        listed = ", ".join(map(repr, known))
        raise InvalidInputError(f"tiers must be a non-empty list of {listed}, not {validation.shown(tiers)}")
    return list(tiers)


def checked_memory_ids(memory_ids: Sequence[int] | None) -> list[int] | None:
    """The memories to search; all if None."""
    if memory_ids is None:
        return None
    if not isinstance(cast("object", memory_ids), list | tuple | set | frozenset):
        raise InvalidInputError(f"memory_ids must be a list of memory ids, not {validation.shown(memory_ids)}")
    return [validation.identifier(id, "an id of memory_ids") for id in memory_ids]


def _hit(row: DictRow, weights: dict[str, float]) -> SearchHit:
    arms = ArmScores(**{arm: row[arm] for arm in ArmScores.model_fields})
    fields = {**row, "arms": arms, "weights": weights, "score": round(row["score"], 6)}
    return SearchHit.model_validate(fields)
