"""What of memory goes into a prompt."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import cast

from langgraph_agentmem.models.active import is_empty
from langgraph_agentmem.models.base import Json, Tier
from langgraph_agentmem.models.context import MemoryContext, OpenDispute
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations.retrieval import searching
from langgraph_agentmem.operations.retrieval.searching import HitSearch
from langgraph_agentmem.operations.reviews.disputes import entity_line, relationship_line
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.texts import texts
from langgraph_agentmem.policies import context as policy
from langgraph_agentmem.policies import transcripts, validation
from langgraph_agentmem.policies.context import Counter, ShownSection
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import reviews, sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, DictRow, received
from langgraph_agentmem.storage.sections import UnchunkedMemory

_LEAST_TOKENS = 10
"""Of a section, with what is said of it: more of them than fit by that need not be read."""
_MOST_DISPUTES = 50
_MOST_PASSED_OVER = 30
"""Hits that may be messages of the conversation itself, besides those that are wanted."""


async def context(
    resources: Resources,
    external_id: object,
    query: object = None,
    *,
    messages: Iterable[object] = (),
    token_budget: object = 2000,
    memory_ids: Sequence[int] | None = None,
    tiers: Sequence[Tier] | None = None,
    limit: int = 10,
    now: datetime | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> MemoryContext:
    """See `AgentMemory.acontext`."""
    tenant = validation.tenant(external_id)
    # what would be refused with a query is refused without one as well
    check(token_budget=token_budget, memory_ids=memory_ids, tiers=tiers, limit=limit, count_tokens=count_tokens)
    validation.moments(now=now)
    budget, counter = validation.positive(token_budget, "token_budget"), _counter(count_tokens)
    memories = searching.checked_memory_ids(memory_ids)
    lines = _lines(resources, messages)
    search = None
    if query is not None:
        most = limit + min(len(lines), _MOST_PASSED_OVER)
        search = await searching.prepared(
            resources, tenant, query, tiers=tiers, memory_ids=memories, limit=most, now=now
        )
    shown, disputes, found = await _read(resources, tenant, search, memories, 1 + budget // _LEAST_TOKENS)
    hits = [hit for hit in found if hit.content.strip() not in lines][:limit]
    block = policy.sections_block(shown, int(policy.SECTIONS_SHARE * budget), counter)
    made = MemoryContext(
        sections=block.text,
        recalled=policy.recalled_block(hits, disputes, block, budget, counter),
        hits=hits,
        disputes=disputes,
    )
    return made.model_copy(update={"tokens": counter(str(made))})


def check(
    *,
    token_budget: object,
    memory_ids: Sequence[int] | None,
    tiers: Sequence[Tier] | None,
    limit: object,
    count_tokens: object,
) -> None:
    """Refuse arguments that no call of `context` could take, for who keeps them for later calls.

    Raises:
        InvalidInputError: One of them cannot be accepted.
    """
    validation.positive(token_budget, "token_budget")
    searching.checked_memory_ids(memory_ids)
    searching.checked_tiers(tiers)
    validation.positive(limit, "limit")
    _counter(count_tokens)


def _counter(count_tokens: object) -> Counter:
    """The caller's counter, whose answers are checked; nothing is counted of nothing."""
    validation.function(count_tokens, "count_tokens")
    if count_tokens is None:
        return policy.by_four
    counter = cast("Counter", count_tokens)
    return lambda text: validation.count(counter(text), "what count_tokens returns") if text else 0


def _lines(resources: Resources, messages: Iterable[object]) -> frozenset[str]:
    """The lines as which messages stand in a transcript, where they were kept."""
    most, size = resources.settings.max_content_chars, resources.settings.chunk_size_chars
    given = validation.several(messages, "messages")
    read = (transcripts.read(message, place, limit=most) for place, message in enumerate(given))
    return frozenset(line for said in read if said is not None for line in transcripts.lines(said, size))


async def _read(
    resources: Resources, tenant: str, search: HitSearch | None, memory_ids: list[int] | None, most: int
) -> tuple[list[ShownSection], list[OpenDispute], list[SearchHit]]:
    """Sections, disputes and hits, in one round trip."""

    async def send(
        connection: Connection,
    ) -> tuple[Deferred[tuple[list[DictRow], list[DictRow], list[DictRow]]], Deferred[list[UnchunkedMemory]]]:
        # before the search, which has statements planned in its own way
        shown = await sections.send_newest(connection, tenant, memory_ids, most)
        disputes = await reviews.send_open(connection, tenant, memory_ids, _MOST_DISPUTES)
        found, unchunked = received(list[DictRow]()), received(list[UnchunkedMemory]())
        if search is not None:
            found, unchunked = await searching.send(resources, search, connection)

        async def all_of_it() -> tuple[list[DictRow], list[DictRow], list[DictRow]]:
            return await shown(), await disputes(), await found()

        return all_of_it, unchunked

    shown, disputes, found = await freshness.read(resources, tenant, send)
    hits = await searching.hits(resources, search, found) if search is not None else []
    opened = [dispute for row in disputes if (dispute := _dispute(row)) is not None]
    return [section for row in shown if (section := _section(row)) is not None], opened, hits


def _section(row: DictRow) -> ShownSection | None:
    """A section with its text; None where it has a value without one, as an item that is not indexed."""
    text = "\n\n".join(texts(row["value"], row["text_fields"]))
    return ShownSection.model_validate({**row, "text": text}) if text.strip() or is_empty(row["value"]) else None


def _dispute(row: DictRow) -> OpenDispute | None:
    """A dispute; None where one of its sides is no longer valid, so that there is nothing left to tell."""
    existing, new = _sides(row)
    return OpenDispute.model_validate({**row, "existing": existing, "new": new}) if existing and new else None


def _sides(row: DictRow) -> tuple[list[str], str | None]:
    """What was remembered, and what came."""
    traits: Json = row["traits"]
    if row["kind"] == "entity":
        return [entity_line(traits["existing"])], entity_line(traits["new"])
    if row["kind"] == "relationship":
        return [relationship_line(traits["existing"])], relationship_line(traits["new"])
    return row["existing"], row["verdict"]["text"] if row["kind"] == "merge" else row["new"]
