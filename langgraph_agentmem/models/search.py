"""What a search returns."""

from datetime import datetime

from pydantic import Field

from langgraph_agentmem.models.base import Json, Tier, Value, cut


class ArmScores(Value):
    """What each arm of the search contributed to a hit's score, before weighting; each 0 to 1.

    Attributes:
        vector: How far the similarity to the query is above that of unrelated texts, as a share of what it could be;
            0 where below. None without an embedder.
        lexical: BM25, as a share of what a short chunk weighs that says each of the query's words once; at most 1.
        graph: Confidence-weighted share of the query's entities that the chunk mentions.
        label: 1 where the query names the chunk's label, as of who speaks.
        date: 1 where the chunk names a day that the query asks for, or was written on it.
    """

    vector: float | None = None
    lexical: float = 0.0
    graph: float = 0.0
    label: float = 0.0
    date: float = 0.0


class SearchHit(Value):
    """A chunk that answers a query, with where it comes from.

    Attributes:
        score: 0 to 1, higher is better; equal scores are ordered by chunk id. The sum of the arms by their weights,
            times the recency.
        arms: What each way of searching says.
        weights: What each arm that took part in the search weighs; together 1.
        recency: What the score counts for the chunk's age; 1 unless `recency_half_life_days` is set.
        behind: Chunks of the result that come before it as they perhaps took its place, whatever their scores.
        current: Whether it is part of its section's present value.
        entities: Names of the entities it mentions, sorted.
        start_date: Valid from.
        end_date: Valid until; None while valid.
        unclear_with: Ids of valid chunks of its section that it perhaps takes the place of, or that perhaps take its
            place; the rules could not tell. Of those that are hits, the later one comes first.
        disputed: Whether it, or a relationship that it states, waits for a person's review.
        shared_by: The tenant that has granted it, where it was found by `memory.grants.search`; None for one's own.
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
    weights: dict[str, float] = Field(default_factory=dict[str, float])
    recency: float = 1.0
    behind: list[int] = Field(default_factory=list[int])
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
    shared_by: str | None = None
    rerank_score: float | None = None
    metadata: Json = Field(default_factory=dict)

    def explain(self) -> str:
        """Why it stands where it does: what each arm adds to the score, and what else holds of it.

        Examples:
            >>> print(memory.search("alice", "budget")[0].explain())
            1.00: the words say 1.00 (weighs 1.00)
            - Budget: 5000
            shortterm, section 'plan' of 'Apollo', in its present value
        """
        return "\n".join([f"{self.score:.2f}: {self._sum()}", self.content.strip(), self._state()])

    def _told(self) -> str:
        ended = f" until {self.end_date:%Y-%m-%d}" if self.end_date else ""
        disputed = ", disputed" if self.disputed else ""
        where = f"{self.tier} {cut(self.section_id, 30)} of {cut(self.memory_title, 30)}"
        where += f" shared by {cut(self.shared_by, 30)}" if self.shared_by is not None else ""
        return f"{self.score:.2f} {where}{ended}{disputed}: {cut(self.content.strip())}"

    def _sum(self) -> str:
        terms = [
            f"{_ARMS[arm]} {getattr(self.arms, arm) or 0:.2f} (weighs {weight:.2f})"
            for arm, weight in self.weights.items()
        ]
        return ", ".join(terms) + (f", times {self.recency:.2f} for its age" if self.recency < 1 else "")

    def _state(self) -> str:
        said = [self.tier, f"section {self.section_id!r} of {self.memory_title!r}"]
        if self.shared_by is not None:
            said.append(f"shared by {self.shared_by!r}")
        if self.end_date is not None:
            by = f", replaced by chunk {self.superseded_by}" if self.superseded_by else ""
            said.append(f"valid until {self.end_date:%Y-%m-%d %H:%M}{by}")
        else:
            said.append("in its present value" if self.current else "no longer in its section, but valid")
        if self.unclear_with:
            said.append(f"perhaps replaces or is replaced by {_listed(self.unclear_with)}")
        if self.behind:
            said.append(f"behind {_listed(self.behind)}, which perhaps took its place")
        if self.disputed:
            said.append("waits for a person's review")
        return ", ".join(said)


def _listed(ids: list[int]) -> str:
    return "chunk " + ", ".join(map(str, ids))


_ARMS = {
    "lexical": "the words say",
    "vector": "the meaning says",
    "label": "who speaks says",
    "graph": "the entities say",
    "date": "the date says",
}
