"""What a search returns."""

from datetime import datetime

from pydantic import Field

from langgraph_agentmem.models.base import Json, Tier, Value


class ArmScores(Value):
    """What each arm of the search contributed to a hit's score, before weighting; each 0 to 1.

    Attributes:
        vector: How far the similarity to the query is above that of unrelated texts, as a share of what it could be;
            0 where below. None without an embedder.
        lexical: BM25, as a share of what a short chunk weighs that says each of the query's words once; at most 1.
        graph: Confidence-weighted share of the query's entities that the chunk mentions.
        label: 1 where the query names the chunk's label, as of who speaks.
    """

    vector: float | None = None
    lexical: float = 0.0
    graph: float = 0.0
    label: float = 0.0


class SearchHit(Value):
    """A chunk that answers a query, with where it comes from.

    Attributes:
        score: 0 to 1, higher is better; equal scores are ordered by chunk id.
        current: Whether it is part of its section's present value.
        entities: Names of the entities it mentions, sorted.
        start_date: Valid from.
        end_date: Valid until; None while valid.
        unclear_with: Ids of valid chunks of its section that it perhaps takes the place of, or that perhaps take its
            place; the rules could not tell. Of those that are hits, the later one comes first.
        disputed: Whether it, or a relationship that it states, waits for a person's review.
        rerank_score: What a reranker says of it; None without one, or where it says nothing of this hit.
        metadata: What it belongs to in its section, the outermost first: `headings`, and `parents` (keys, items of
            lists, names of records), where there are any.

    Examples:
        >>> hit = memory.search("alice", "budget")[0]
        >>> hit.content, hit.tier, hit.section_id, hit.memory_title
        ('- Budget: 5000', 'shortterm', 'plan', 'Apollo')
    """

    chunk_id: int
    content: str
    score: float
    arms: ArmScores
    tier: Tier
    memory_id: int
    memory_title: str
    section_id: str
    section_revision: int
    chunk_order: int
    current: bool
    origin: str
    source: str | None = None
    run_id: str | None = None
    entities: list[str] = Field(default_factory=list)
    start_date: datetime
    end_date: datetime | None = None
    superseded_by: int | None = None
    unclear_with: list[int] = Field(default_factory=list[int])
    disputed: bool = False
    rerank_score: float | None = None
    metadata: Json = Field(default_factory=dict)
